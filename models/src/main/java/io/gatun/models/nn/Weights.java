package io.gatun.models.nn;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;

/// The tensors of a network by the reference implementation's names, their shapes checked against
/// what the configuration says. They stay where the checkpoint has them, which must be open as long
/// as the network is used.
///
/// A network's constructor walks down: `weights.at("down_blocks.0")` has the names below that.
public final class Weights {
  private final Source source;
  private final String prefix;
  private final String reason;

  private record Source(
      Checkpoint checkpoint, WeightNames names, WeightMerge merge, Quantization quantization) {}

  private Weights(Source source, String prefix, String reason) {
    this.source = source;
    this.prefix = prefix;
    this.reason = reason;
  }

  /// All tensors of a checkpoint that uses the reference implementation's names.
  public static Weights of(Checkpoint checkpoint) {
    return new Weights(
        new Source(checkpoint, WeightNames.SAME, WeightMerge.NONE, Quantization.NONE),
        "",
        "the configuration says so");
  }

  /// The same checkpoint by other names.
  public Weights named(WeightNames names) {
    return with(new Source(source.checkpoint, names, source.merge, source.quantization));
  }

  /// The same weights with changes.
  public Weights merged(WeightMerge merge) {
    return with(new Source(source.checkpoint, source.names, merge, source.quantization));
  }

  /// The same weights, of which linear layers are quantized when they are first used.
  public Weights quantized(Quantization quantization) {
    return with(new Source(source.checkpoint, source.names, source.merge, quantization));
  }

  private Weights with(Source other) {
    return new Weights(other, prefix, reason);
  }

  /// The tensors below `child`.
  public Weights at(String child) {
    return new Weights(source, prefix + child + ".", reason);
  }

  /// The tensors of entry `i` of a list.
  public Weights at(String list, int i) {
    return at(list + "." + i);
  }

  /// The same tensors, with what determines their shapes: `cross_attention_dim=768 in config.json`.
  public Weights because(String why) {
    return new Weights(source, prefix, why);
  }

  public boolean has(String name) {
    return source.checkpoint.tensors().containsKey(source.names.stored(prefix + name).name());
  }

  /// The shape that a tensor has in the file, for networks whose configuration is their weights.
  ///
  /// @throws CheckpointException if it is missing
  public Shape shape(String name) {
    return source.checkpoint.tensor(source.names.stored(prefix + name).name()).shape();
  }

  /// A tensor of any type, in place.
  ///
  /// @throws CheckpointException if it is missing, has another shape, or Gatun cannot compute with
  ///   its type
  public Tensor tensor(String name, long... dims) {
    return checked(prefix + name, Shape.of(dims));
  }

  /// A layer normalization's weight and bias (size).
  public LayerNorm layerNorm(String name, long size, float eps) {
    return new LayerNorm(tensor(name + ".weight", size), tensor(name + ".bias", size), eps);
  }

  /// A group normalization's weight and bias (size).
  ///
  /// @throws CheckpointException if the groups do not divide the channels
  public GroupNorm groupNorm(String name, int groups, long size, float eps) {
    if (size % groups != 0) {
      throw new CheckpointException(
          "%s: %s%s has %d channels, which norm_num_groups=%d does not divide"
              .formatted(source.checkpoint.path(), prefix, name, size, groups));
    }
    return new GroupNorm(groups, tensor(name + ".weight", size), tensor(name + ".bias", size), eps);
  }

  /// A linear layer's weight (out, in), or that of a 1x1 convolution, and bias (out).
  public LinearWeight linear(String name, long out, long in) {
    return LinearWeight.of(matrix(name, out, in), tensor(name + ".bias", out));
  }

  /// A linear layer's weight (out, in) where there is no bias.
  public LinearWeight linearWithoutBias(String name, long out, long in) {
    return LinearWeight.of(matrix(name, out, in), null);
  }

  /// Several linear layers of the same input as one, whose results lie side by side: weights (out,
  /// in) each and, if `bias`, biases (out).
  public LinearWeight linears(List<String> names, long out, long in, boolean bias) {
    return LinearWeight.concat(
        names.stream()
            .map(name -> bias ? linear(name, out, in) : linearWithoutBias(name, out, in))
            .toList());
  }

  private Tensor matrix(String name, long out, long in) {
    String full = prefix + name + ".weight";
    var pointwise = Shape.of(out, in, 1, 1);
    Tensor found = source.checkpoint.tensors().get(source.names.stored(full).name());
    var weight =
        found != null && found.shape().rank() == 4
            ? checked(full, pointwise).reshape(out, in)
            : checked(full, Shape.of(out, in));
    return merged(full, weight);
  }

  /// A convolution's weight (out, in, kernel, kernel) and bias (out).
  public ConvWeight conv(
      String name, long out, long in, int kernel, int stride, ConvWeight.Padding padding) {
    return ConvWeight.of(
        kernels(name, out, in, kernel), tensor(name + ".bias", out), stride, padding);
  }

  /// A convolution of stride 1 that keeps the image's size: weight (out, in, kernel, kernel) and
  /// bias (out).
  public ConvWeight conv(String name, long out, long in, int kernel) {
    return conv(name, out, in, kernel, 1, ConvWeight.Padding.of(kernel / 2));
  }

  /// A convolution's weight (out, in, kernel, kernel) where there is no bias.
  public ConvWeight convWithoutBias(
      String name, long out, long in, int kernel, int stride, ConvWeight.Padding padding) {
    return ConvWeight.of(kernels(name, out, in, kernel), null, stride, padding);
  }

  private Tensor kernels(String name, long out, long in, int kernel) {
    String full = prefix + name + ".weight";
    return merged(full, checked(full, Shape.of(out, in, kernel, kernel)));
  }

  private Tensor merged(String name, Tensor weight) {
    var merged = source.merge.merge(name, weight);
    if (!merged.shape().equals(weight.shape())) {
      throw new IllegalArgumentException(
          "%s is %s; merged it is %s".formatted(name, weight.shape(), merged.shape()));
    }
    return merged;
  }

  private Tensor checked(String name, Shape shape) {
    var stored = source.names.stored(name);
    Tensor t = source.checkpoint.tensors().get(stored.name());
    if (t == null) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is missing; need %s because %s. %s"
              .formatted(source.checkpoint.path(), stored.name(), shape, reason, list()));
    }
    var dims = shape.dims();
    if (stored.transposed()) {
      long rows = dims[0];
      dims[0] = dims[1];
      dims[1] = rows;
    }
    dims[0] = Math.multiplyExact(dims[0], (long) stored.parts());
    if (!Arrays.equals(t.shape().dims(), dims)) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s %s; need %s because %s. %s"
              .formatted(
                  source.checkpoint.file(stored.name()),
                  stored.name(),
                  t.shape(),
                  t.dtype().name(),
                  Shape.of(dims),
                  reason,
                  list()));
    }
    if (!Ops.supports(t.dtype())) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s, with which Gatun cannot compute; get the model as F16 or BF16. %s"
              .formatted(
                  source.checkpoint.file(stored.name()), stored.name(), t.dtype().name(), list()));
    }
    if (!t.isContiguous()) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is stored transposed or with gaps; save it with .contiguous()"
              .formatted(source.checkpoint.file(stored.name()), stored.name()));
    }
    long rows = shape.dim(0);
    return stored.transposed()
        ? transposed(t)
        : stored.parts() == 1 ? t : t.slice(0, stored.part() * rows, (stored.part() + 1) * rows);
  }

  /// A copy of a matrix with its rows as columns, in F32.
  private static Tensor transposed(Tensor t) {
    return Tensor.ofFloats(
        Arena.ofAuto(), t.transpose(0, 1).toFloats(), t.dim(1), t.dim(0));
  }

  private String list() {
    return "List the file with: gatun inspect " + source.checkpoint.path();
  }
}
