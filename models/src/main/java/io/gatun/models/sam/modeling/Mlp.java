package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// Three linear layers with ReLU between them.
public record Mlp(LinearWeight layers0, LinearWeight layers1, LinearWeight layers2) {
  /// Layers that are `layers.0` and so on.
  public Mlp(Weights weights, long input, long hidden, long output) {
    this(
        weights.linear("layers.0", hidden, input),
        weights.linear("layers.1", hidden, hidden),
        weights.linear("layers.2", output, hidden));
  }

  /// x (..., K), result (..., N).
  public Tensor forward(Functional f, Tensor x) {
    var relu = Epilogue.of(Activation.RELU);
    return f.linear(f.linear(f.linear(x, layers0, relu), layers1, relu), layers2);
  }
}
