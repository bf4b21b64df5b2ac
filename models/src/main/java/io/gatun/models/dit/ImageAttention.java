package io.gatun.models.dit;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// Attention among an image's tokens alone.
final class ImageAttention {
  private final int heads;
  private final Projections image;
  private final LinearWeight toOut;

  ImageAttention(Weights weights, int d, int heads, boolean norms) {
    this.heads = heads;
    image = Projections.ofImage(weights, d, d / heads, true, norms);
    toOut = weights.linear("to_out.0", d, d);
  }

  /// x (T, D), result (T, D).
  Tensor forward(Functional f, Tensor x) {
    var seen = Heads.attention(f, image.queries(f, x), image.keys(f, x), image.values(f, x), heads);
    return f.linear(seen, toOut);
  }
}
