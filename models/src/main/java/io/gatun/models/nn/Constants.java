package io.gatun.models.nn;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;

/// Tensors that follow from a model's weights and its input size, computed once.
public final class Constants {
  private Constants() {}

  /// The result of `body`, copied from the workspace to memory that lasts as long as the model.
  public static Tensor keep(Functional f, Supplier<Tensor> body) {
    try (var _ = f.scope()) {
      var result = body.get();
      var kept = Tensor.allocate(Arena.ofAuto(), result.dtype(), result.shape().dims());
      MemorySegment.copy(result.segment(), 0, kept.segment(), 0, result.byteSize());
      return kept;
    }
  }

  /// A table of positions (1, H, W, C), interpolated where a model made for one input size gets
  /// another: (1, height, width, C) in the type of activations.
  public static Tensor resized(Functional f, Tensor table, int height, int width) {
    var f32 = new Functional(f.ops(), DType.Plain.F32);
    return keep(
        f,
        () ->
            table.dim(1) == height && table.dim(2) == width
                ? f.cast(table)
                : f.cast(f32.resizeBilinear(f32.cast(table), height, width)));
  }

  /// One linear layer that does what two with a bias do, one after the other.
  public static LinearWeight chain(Functional f, LinearWeight first, LinearWeight second) {
    var f32 = new Functional(f.ops(), DType.Plain.F32);
    var inner = first.weights().getFirst().transpose(0, 1);
    var outer = LinearWeight.of(second.weights().getFirst(), null);
    var product = keep(f32, () -> f32.linear(f32.cast(inner), outer));
    var bias = first.biases().getFirst();
    var constant = keep(f32, () -> f32.linear(f32.cast(bias).reshape(1, bias.size()), second));
    return LinearWeight.of(product.transpose(0, 1), constant.reshape(second.outFeatures()));
  }
}
