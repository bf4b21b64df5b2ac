package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;

/// What rescales the rows that enter or leave a part of a layer.
public sealed interface Norm {
  /// Leaves its input as it is.
  static Norm none() {
    return new None();
  }

  /// x (..., D), rescaled.
  Tensor of(Ops ops, Tensor x);

  /// As [#of], for products.
  default Activations activations(Ops ops, Tensor x) {
    return ops.activations(of(ops, x));
  }

  /// `x / sqrt(mean(x^2) + eps) * weight` (Zhang and Sennrich 2019).
  record Rms(Tensor weight, float eps) implements Norm {
    @Override
    public Tensor of(Ops ops, Tensor x) {
      return ops.rmsNorm(x, weight, eps);
    }

    @Override
    public Activations activations(Ops ops, Tensor x) {
      return ops.normed(x, weight, eps);
    }
  }

  /// `(x - mean) / sqrt(variance + eps) * weight + bias` (Ba et al. 2016).
  record Layer(Tensor weight, Tensor bias, float eps) implements Norm {
    @Override
    public Tensor of(Ops ops, Tensor x) {
      return new Functional(ops, DType.Plain.F32).layerNorm(x, weight, bias, eps);
    }
  }

  /// `x * factor`, whatever x is.
  record Scale(float factor) implements Norm {
    @Override
    public Tensor of(Ops ops, Tensor x) {
      return new Functional(ops, DType.Plain.F32).scale(x, factor);
    }
  }

  /// See [#none].
  record None() implements Norm {
    @Override
    public Tensor of(Ops ops, Tensor x) {
      return x;
    }
  }
}
