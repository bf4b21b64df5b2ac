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
  private NativeWeight nativeWeight;
  private MemorySegment floatBias;

  private LinearWeight(Tensor weight, Tensor bias) {
    this.weight = weight;
    this.bias = bias;
  }

  /// @param weight (N, K) of any type, where it lies
  /// @param bias (N) of any type; null for none
  public static LinearWeight of(Tensor weight, Tensor bias) {
    Check.rank("weight", weight, 2);
    if (bias != null) {
      Check.same("bias", bias.size(), "rows of the weight", weight.dim(0));
    }
    return new LinearWeight(weight, bias);
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

  NativeWeight nativeWeight(Functional f) {
    if (nativeWeight == null) {
      nativeWeight = NativeWeight.of(f, weight);
    }
    return nativeWeight;
  }
}
