package io.gatun.models.unet;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// The feed-forward part of a transformer block, with GEGLU (Shazeer 2020, "GLU Variants Improve
/// Transformer").
final class FeedForward {
  private static final int FACTOR = 4;

  private final LinearWeight proj;
  private final LinearWeight out;

  FeedForward(Weights weights, int channels) {
    proj = weights.linear("net.0.proj", 2 * FACTOR * channels, channels);
    out = weights.linear("net.2", channels, FACTOR * channels);
  }

  /// values, gates = x Wproj; h += (values * gelu(gates)) Wout: h and x (B, T, C).
  void addTo(Functional f, Tensor h, Tensor x) {
    f.addLinear(h, f.linearGeglu(x, proj), out);
  }
}
