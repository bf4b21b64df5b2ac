package io.gatun.models.encoder;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// A linear layer that vectors go through after pooling: sentence-transformers' Dense.
///
/// @param weight (N, K) F32
/// @param bias (N) F32; null for none
/// @param tanh whether its results go through tanh
public record Dense(Tensor weight, Tensor bias, boolean tanh) {
  private static final Pattern NONE = Pattern.compile("(?!)");

  /// The layer in a module's folder.
  ///
  /// @throws CheckpointException if it is not there, or not as its configuration says
  static Dense read(Path folder) {
    var keys = JsonKeys.read(folder.resolve("config.json"));
    int in = keys.count("in_features");
    int out = keys.count("out_features");
    boolean biased = keys.flag("bias", true);
    String activation = keys.text("activation_function", "torch.nn.modules.activation.Tanh");
    String name = activation.substring(activation.lastIndexOf('.') + 1);
    if (!name.equals("Tanh") && !name.equals("Identity")) {
      throw new CheckpointException(
          "%s: the activation_function is \"%s\"; Gatun has Tanh and Identity"
              .formatted(keys.where(), activation));
    }
    keys.requireAllRead();
    try (var checkpoint = Checkpoint.open(folder)) {
      var tensors = new UsedTensors(checkpoint);
      var weight = f32(tensors, "linear.weight", Shape.of(out, in));
      var bias = biased ? f32(tensors, "linear.bias", Shape.of(out)) : null;
      tensors.requireAllUsed(NONE);
      return new Dense(weight, bias, name.equals("Tanh"));
    }
  }

  /// The layer of a GGUF file, without bias and activation.
  static Dense ofGguf(Checkpoint checkpoint, String name) {
    var tensor = checkpoint.tensor(name);
    return new Dense(Ops.toF32(tensor, Arena.ofAuto()), null, false);
  }

  private static Tensor f32(UsedTensors tensors, String name, Shape shape) {
    var tensor = tensors.use(name);
    if (tensor == null || !tensor.shape().equals(shape)) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s; need %s, as config.json beside it says"
              .formatted(
                  tensors.checkpoint().path(),
                  name,
                  tensor == null ? "missing" : tensor.shape(),
                  shape));
    }
    return Ops.toF32(tensor.copy(Arena.ofAuto()), Arena.ofAuto());
  }

  /// x (T, K) becomes (T, N), from the workspace.
  public Tensor forward(Ops ops, Tensor x) {
    if (x.dim(1) != weight.dim(1)) {
      throw new CheckpointException(
          "a vector has %d numbers; the layer after it takes %d"
              .formatted(x.dim(1), weight.dim(1)));
    }
    var y = ops.linear(x, weight, bias);
    for (long i = 0; tanh && i < y.size(); i++) {
      float v = y.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      y.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) Math.tanh(v));
    }
    return y;
  }
}
