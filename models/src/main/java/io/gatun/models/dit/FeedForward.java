package io.gatun.models.dit;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// Two linear layers with GELU, by its tanh approximation, between them.
final class FeedForward implements Mlp {
  private static final int FACTOR = 4;

  private final LinearWeight proj;
  private final LinearWeight out;

  FeedForward(Weights weights, int d) {
    proj = weights.linear("net.0.proj", FACTOR * d, d);
    out = weights.linear("net.2", d, FACTOR * d);
  }

  @Override
  public Tensor forward(Functional f, Tensor x) {
    return f.linear(f.linear(x, proj, Epilogue.of(Activation.GELU_TANH)), out);
  }
}
