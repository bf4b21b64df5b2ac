package io.gatun.models.nn;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;

/// The tensors of a network by the reference implementation's names, their shapes checked against
/// what the configuration says. They stay where the checkpoint has them, which must be open as long
/// as the network is used.
///
/// A network's constructor walks down: `weights.at("down_blocks.0")` has the names below that.
public final class Weights {
  private final Source source;
  private final String prefix;
  private final String reason;

  /// @param quantized counts the layers that [Quantization] chose
  private record Source(
      TensorSource tensors,
      WeightMerge merge,
      Quantization quantization,
      AtomicInteger quantized) {}

  private Weights(Source source, String prefix, String reason) {
    this.source = source;
    this.prefix = prefix;
    this.reason = reason;
  }

  /// All tensors of a checkpoint that uses the reference implementation's names.
  public static Weights of(Checkpoint checkpoint) {
    return of(new UsedTensors(checkpoint), WeightNames.SAME);
  }

  /// All tensors of a checkpoint that uses other names; what is read of them is noted.
  public static Weights of(UsedTensors tensors, WeightNames names) {
    return of(new CheckpointTensors(tensors, names));
  }

  /// All tensors of a source.
  public static Weights of(TensorSource tensors) {
    var source = new Source(tensors, WeightMerge.NONE, Quantization.NONE, new AtomicInteger());
    return new Weights(source, "", "the configuration says so");
  }

  /// The same weights with changes.
  public Weights merged(WeightMerge merge) {
    return with(new Source(source.tensors, merge, source.quantization, source.quantized));
  }

  /// The same weights, of which linear layers are quantized when they are first used.
  public Weights quantized(Quantization quantization) {
    return with(new Source(source.tensors, source.merge, quantization, new AtomicInteger()));
  }

  /// Asks that layers have been quantized, if they were to be: for when the network is made.
  ///
  /// @throws CheckpointException if none could be
  public void requireQuantized() {
    var wanted = source.quantization;
    if (wanted.mode() != Quantization.Mode.NONE && source.quantized.get() == 0) {
      String names = wanted.names().pattern();
      throw new CheckpointException(
          "%s: no linear layer can be quantized: need one%s with sizes that are multiples of 32%s. Run it without quantization"
              .formatted(
                  source.tensors.where(),
                  wanted.minSize() == 0
                      ? ""
                      : " of at least %,d weights,".formatted(wanted.minSize()),
                  names.isEmpty() ? "" : " and \"" + names + "\" in its name"));
    }
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
    return source.tensors.shape(prefix + name) != null;
  }

  /// The shape that a tensor has, for networks whose configuration is their weights.
  ///
  /// @throws CheckpointException if it is missing
  public Shape shape(String name) {
    var shape = source.tensors.shape(prefix + name);
    if (shape == null) {
      throw new CheckpointException(
          "%s: tensor \"%s%s\" is missing".formatted(source.tensors.where(), prefix, name));
    }
    return shape;
  }

  /// A tensor of any type, in place, or, where the file has it with gaps, as a copy.
  ///
  /// @throws CheckpointException if it is missing, has another shape, or Gatun cannot compute with
  ///   its type
  public Tensor tensor(String name, long... dims) {
    return source.tensors.tensor(prefix + name, Shape.of(dims), reason);
  }

  /// A layer normalization's weight and bias (size).
  public LayerNorm layerNorm(String name, long size, float eps) {
    return new LayerNorm(tensor(name + ".weight", size), tensor(name + ".bias", size), eps);
  }

  /// A root mean square normalization's weight (size).
  public RmsNorm rmsNorm(String name, long size, float eps) {
    return new RmsNorm(Ops.toF32(tensor(name + ".weight", size), Arena.ofAuto()), eps);
  }

  /// A group normalization's weight and bias (size).
  ///
  /// @throws CheckpointException if the groups do not divide the channels
  public GroupNorm groupNorm(String name, int groups, long size, float eps) {
    if (size % groups != 0) {
      throw new CheckpointException(
          "%s: %s%s has %d channels, which norm_num_groups=%d does not divide"
              .formatted(source.tensors.where(), prefix, name, size, groups));
    }
    return new GroupNorm(groups, tensor(name + ".weight", size), tensor(name + ".bias", size), eps);
  }

  /// A linear layer's weight (out, in), or that of a 1x1 convolution, and bias (out).
  public LinearWeight linear(String name, long out, long in) {
    return quantized(name, LinearWeight.of(matrix(name, out, in), tensor(name + ".bias", out)));
  }

  /// A linear layer's weight (out, in) where there is no bias.
  public LinearWeight linearWithoutBias(String name, long out, long in) {
    return quantized(name, LinearWeight.of(matrix(name, out, in), null));
  }

  /// Several linear layers of the same input as one, whose results lie side by side: weights (out,
  /// in) each and, if `bias`, biases (out). They are quantized together, if one of them is to be.
  public LinearWeight linears(List<String> names, long out, long in, boolean bias) {
    var whole =
        LinearWeight.concat(
            names.stream()
                .map(name -> LinearWeight.of(matrix(name, out, in), bias ? bias(name, out) : null))
                .toList());
    var name = names.stream().filter(n -> source.quantization.names(prefix + n)).findFirst();
    return name.isPresent() ? quantized(name.get(), whole) : whole;
  }

  /// Several linear layers of the same input, without biases, that the reference implementation has
  /// in one matrix: its rows, `outs` one after the other, (sum of outs, in).
  public List<LinearWeight> linearsOfRows(String name, long in, long... outs) {
    var whole = matrix(name, LongStream.of(outs).sum(), in);
    var layers = new ArrayList<LinearWeight>();
    long row = 0;
    for (long out : outs) {
      layers.add(quantized(name, LinearWeight.of(whole.slice(0, row, row + out), null)));
      row += out;
    }
    return layers;
  }

  private Tensor bias(String name, long out) {
    return tensor(name + ".bias", out);
  }

  private LinearWeight quantized(String name, LinearWeight weight) {
    var result = source.quantization.apply(prefix + name, weight);
    if (result != weight) {
      source.quantized.incrementAndGet();
    }
    return result;
  }

  private Tensor matrix(String name, long out, long in) {
    String full = prefix + name + ".weight";
    var found = source.tensors.shape(full);
    boolean pointwise = found != null && found.rank() == 4;
    var shape = pointwise ? Shape.of(out, in, 1, 1) : Shape.of(out, in);
    return merged(full, source.tensors.tensor(full, shape, reason).reshape(out, in));
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
    var shape = Shape.of(out, in, kernel, kernel);
    return merged(full, source.tensors.tensor(full, shape, reason));
  }

  private Tensor merged(String name, Tensor weight) {
    var merged = source.merge.merge(name, weight);
    if (!merged.shape().equals(weight.shape())) {
      throw new IllegalArgumentException(
          "%s is %s; merged it is %s".formatted(name, weight.shape(), merged.shape()));
    }
    return merged;
  }
}
