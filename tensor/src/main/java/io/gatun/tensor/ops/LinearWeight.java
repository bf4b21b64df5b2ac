package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.Collectors;

/// The weights of a linear layer `x W^T + bias`, which is also a 1x1 convolution, as the checkpoint
/// stores them. From the first product on they may also be kept in the form that products here read
/// fastest.
public final class LinearWeight {
  private final List<Part> parts;
  private final Quantization quantization;

  /// Some of the rows.
  private record Part(Tensor weight, Tensor bias) {}

  private LinearWeight(List<Part> parts, Quantization quantization) {
    this.parts = parts;
    this.quantization = quantization;
  }

  /// Weights as a checkpoint stores them.
  ///
  /// @param weight (N, K) of any type, where it lies, or, if it has gaps, a copy
  /// @param bias (N) of any type; null for none
  public static LinearWeight of(Tensor weight, Tensor bias) {
    Check.rank("weight", weight, 2);
    if (bias != null) {
      Check.same("bias", bias.size(), "rows of the weight", weight.dim(0));
    }
    var part = new Part(dense(weight), bias == null ? null : dense(bias));
    return new LinearWeight(List.of(part), Quantization.NONE);
  }

  /// The tensor, or, where it has gaps, a copy that lives as long as it is used.
  static Tensor dense(Tensor t) {
    return t.isContiguous() ? t : t.copy(Arena.ofAuto());
  }

  /// Layers of the same input as one, whose results lie side by side: queries, keys and values. The
  /// weights stay where they are.
  public static LinearWeight concat(List<LinearWeight> layers) {
    var parts = layers.stream().flatMap(layer -> layer.parts.stream()).toList();
    for (var part : parts) {
      Check.same(
          "columns of a weight",
          part.weight.dim(1),
          "of the first",
          parts.getFirst().weight.dim(1));
    }
    var quantization = layers.getFirst().quantization;
    if (layers.stream().anyMatch(layer -> layer.quantization != quantization)) {
      throw new IllegalArgumentException(
          "layers that are quantized differently cannot be one: quantize the whole instead");
    }
    return new LinearWeight(parts, quantization);
  }

  /// The same weights, to be rounded to 8 bits when they are first used.
  ///
  /// @throws IllegalArgumentException if they are not [#quantizable]
  public LinearWeight quantized(Quantization to) {
    if (to != Quantization.NONE && !quantizable()) {
      throw new IllegalArgumentException(
          "weights of shapes %s cannot be quantized: need multiples of 32"
              .formatted(weights().stream().map(Tensor::shape).toList()));
    }
    return new LinearWeight(parts, to);
  }

  /// Whether [#quantized] can round these weights: whether all their sizes are multiples of 32.
  public boolean quantizable() {
    return weights().stream().allMatch(w -> w.dim(0) % 32 == 0 && w.dim(1) % 32 == 0);
  }

  public Quantization quantization() {
    return quantization;
  }

  /// N.
  public long outFeatures() {
    return parts.stream().mapToLong(part -> part.weight.dim(0)).sum();
  }

  /// K.
  public long inFeatures() {
    return parts.getFirst().weight.dim(1);
  }

  /// The matrices (N, K) that are one above the other.
  public List<Tensor> weights() {
    return parts.stream().map(Part::weight).toList();
  }

  /// The bias (N) of each of these, of any type; null for none.
  public List<Tensor> biases() {
    return parts.stream().map(Part::bias).collect(Collectors.toList());
  }
}
