package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The weights of a linear layer `x W^T + bias`, which is also a 1x1 convolution: as the checkpoint
/// stores them, and, from the first product on, in the form that products here read fastest.
///
/// A weight belongs to one model and is used with one [Functional].
public final class LinearWeight {
  private final Tensor weight;
  private final Tensor bias;
  private final Quantization quantization;
  private NativeWeight nativeWeight;
  private Int8Weight int8Weight;
  private MemorySegment floatBias;

  private LinearWeight(Tensor weight, Tensor bias, Quantization quantization) {
    this.weight = weight;
    this.bias = bias;
    this.quantization = quantization;
  }

  /// @param weight (N, K) of any type, where it lies
  /// @param bias (N) of any type; null for none
  public static LinearWeight of(Tensor weight, Tensor bias) {
    Check.rank("weight", weight, 2);
    if (bias != null) {
      Check.same("bias", bias.size(), "rows of the weight", weight.dim(0));
    }
    return new LinearWeight(weight, bias, Quantization.NONE);
  }

  /// The same weights, to be rounded to 8 bits when they are first used.
  ///
  /// @throws IllegalArgumentException if they are not [#quantizable]
  public LinearWeight quantized(Quantization to) {
    if (to != Quantization.NONE && !quantizable()) {
      throw new IllegalArgumentException(
          "a weight of shape %s cannot be quantized: need multiples of 32".formatted(weight.shape()));
    }
    return new LinearWeight(weight, bias, to);
  }

  /// Whether [#quantized] can round these weights: whether N and K are multiples of 32.
  public boolean quantizable() {
    return weight.dim(0) % 32 == 0 && weight.dim(1) % 32 == 0;
  }

  /// N.
  public long outFeatures() {
    return weight.dim(0);
  }

  /// K.
  public long inFeatures() {
    return weight.dim(1);
  }

  Tensor weight() {
    return weight;
  }

  /// The bias as F32; null for none.
  MemorySegment floatBias() {
    if (floatBias == null && bias != null) {
      floatBias = Ops.toF32(bias, Arena.ofAuto()).segment();
    }
    return floatBias;
  }

  Quantization quantization() {
    return quantization;
  }

  /// The weights, or, where they are quantized, their integers, as oneDNN's products read them.
  NativeWeight nativeWeight(Functional f) {
    if (nativeWeight == null) {
      nativeWeight =
          quantization == Quantization.NONE
              ? NativeWeight.of(f, weight)
              : NativeWeight.converted(f, int8Weight(f).values());
    }
    return nativeWeight;
  }

  /// The quantized weights: packed for int8 products where these are made.
  Int8Weight int8Weight(Functional f) {
    if (int8Weight == null) {
      int8Weight =
          quantization == Quantization.INT8_DYNAMIC && Int8Weight.packs(f)
              ? Int8Weight.packed(f, weight)
              : Int8Weight.tensor(f, weight);
    }
    return int8Weight;
  }
}
