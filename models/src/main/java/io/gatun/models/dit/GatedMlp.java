package io.gatun.models.dit;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// SwiGLU (Shazeer 2020).
record GatedMlp(LinearWeight gate, LinearWeight up, LinearWeight down) implements Mlp {
  /// Of three matrices: `w1`, `w3` and `w2`.
  static GatedMlp of(Weights weights, long d, long hidden) {
    return new GatedMlp(
        weights.linearWithoutBias("w1", hidden, d),
        weights.linearWithoutBias("w3", hidden, d),
        weights.linearWithoutBias("w2", d, hidden));
  }

  /// Of two: `linear_in`, which holds the gates' rows, then the others, and `linear_out`.
  static GatedMlp ofFused(Weights weights, long d, long hidden) {
    var in = weights.linearsOfRows("linear_in", d, hidden, hidden);
    return new GatedMlp(
        in.getFirst(), in.getLast(), weights.linearWithoutBias("linear_out", d, hidden));
  }

  /// down(silu(gate(x)) * up(x)): x (T, D).
  @Override
  public Tensor forward(Functional f, Tensor x) {
    var gates = f.linear(x, gate, Epilogue.of(Activation.SILU));
    return f.linear(f.mul(gates, f.linear(x, up)), down);
  }
}
