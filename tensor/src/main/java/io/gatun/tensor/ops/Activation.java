package io.gatun.tensor.ops;

/// A function of one element, between the layers of a network.
public enum Activation {
  NONE,
  RELU,
  /// `x / (1 + exp(-x))`, also called swish.
  SILU,
  /// `x Phi(x)` with the error function (Hendrycks and Gimpel 2016).
  GELU,
  /// GELU by its tanh approximation.
  GELU_TANH,
  /// `x sigmoid(1.702 x)`, which OpenAI's CLIP uses for GELU.
  QUICK_GELU
}
