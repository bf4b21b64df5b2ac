package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// Three linear layers with an activation between them.
public record Mlp(
    LinearWeight layers0, LinearWeight layers1, LinearWeight layers2, Activation activation) {
  /// Layers that are `layers.0` and so on, with ReLU.
  public Mlp(Weights weights, long input, long hidden, long output) {
    this(weights, input, hidden, output, Activation.RELU);
  }

  Mlp(Weights weights, long input, long hidden, long output, Activation activation) {
    this(
        weights.linear("layers.0", hidden, input),
        weights.linear("layers.1", hidden, hidden),
        weights.linear("layers.2", output, hidden),
        activation);
  }

  /// x (..., K), result (..., N).
  public Tensor forward(Functional f, Tensor x) {
    var activated = Epilogue.of(activation);
    return f.linear(f.linear(f.linear(x, layers0, activated), layers1, activated), layers2);
  }
}
