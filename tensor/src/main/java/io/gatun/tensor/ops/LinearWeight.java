package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// The weights of a linear layer `x W^T + bias`, which is also a 1x1 convolution: as the checkpoint
/// stores them, and, from the first product on, in the form that products here read fastest.
///
/// A weight belongs to one model and is used with one [Functional].
public final class LinearWeight {
  private final List<Part> parts;
  private final Quantization quantization;
  private NativeWeight nativeWeight;
  private Int8Weight int8Weight;
  private MemorySegment floatBias;

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

  Quantization quantization() {
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
  List<Tensor> weights() {
    return parts.stream().map(Part::weight).toList();
  }

  /// The bias as F32; null for none.
  MemorySegment floatBias() {
    if (floatBias == null && parts.stream().anyMatch(part -> part.bias != null)) {
      floatBias = Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, outFeatures()).segment();
      long at = 0;
      for (var part : parts) {
        if (part.bias != null) {
          WeightRows.toFloat(
              Backend.SCALAR, part.bias.reshape(1, part.bias.size()), 0, 1, floatBias, at);
        }
        at += 4 * part.weight.dim(0);
      }
    }
    return floatBias;
  }

  /// The weights, or, where they are quantized, their integers, as oneDNN's products read them.
  NativeWeight nativeWeight(Context ctx) {
    if (nativeWeight == null || !nativeWeight.isAlive()) {
      nativeWeight =
          quantization == Quantization.NONE
              ? NativeWeight.of(ctx, weights())
              : NativeWeight.converted(ctx, int8Weight(ctx).values());
    }
    return nativeWeight;
  }

  /// The quantized weights: packed for int8 products where these are made, and then in the
  /// workspace where there is no room to keep them.
  Int8Weight int8Weight(Context ctx) {
    if (int8Weight != null && int8Weight.isAlive()) {
      return int8Weight;
    }
    long bytes = outFeatures() * inFeatures();
    if (quantization != Quantization.INT8_DYNAMIC || !Int8Weight.packs(ctx)) {
      ctx.packed().spend(bytes);
      int8Weight = Int8Weight.tensor(ctx, weights(), ctx.packed().arena());
    } else if (ctx.packed().reserve(bytes)) {
      int8Weight = Int8Weight.packed(ctx, weights(), ctx.packed().arena());
    } else {
      return Int8Weight.packed(ctx, weights(), (size, _) -> ctx.workspace().take(size));
    }
    return int8Weight;
  }
}
