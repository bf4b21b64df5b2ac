package io.gatun.models.sam;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;

/// Two [Upscaling2x2] with a norm and GELU between them: sixteen pixels of one, which stay
/// together.
final class Upscaling4x4 {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;

  private final Upscaling2x2 first;
  private final LayerNorm norm;
  private final Upscaling2x2 second;

  /// @param weights of a sequence whose parts are 0, 1 and 3
  Upscaling4x4(Weights weights, long in, long middle, long out) {
    first = new Upscaling2x2(weights.at("0"), in, middle);
    norm = weights.layerNorm("1", middle, LAYER_NORM_2D_EPS);
    second = new Upscaling2x2(weights.at("3"), middle, out);
  }

  /// x (B, T, I), result (B, 16 T, O): the pixels of a token together, and among them those of a
  /// quarter.
  Tensor forward(Functional f, Tensor x, Epilogue last) {
    var y = norm.forward(f, first.forward(f, x, Epilogue.NONE));
    return second.forward(f, f.activate(y, Activation.GELU), last);
  }

  /// Where the pixels 2 i and 2 i + 1 of row `y` stand, one behind the other, among those that
  /// [#forward] makes of `grid` x `grid` tokens.
  static long pair(long grid, long y, long i) {
    return (y / 4 * grid + i / 2) * 16 + y / 2 % 2 * 8 + i % 2 * 4 + y % 2 * 2;
  }
}
