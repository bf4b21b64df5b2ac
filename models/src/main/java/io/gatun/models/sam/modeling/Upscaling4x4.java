package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Two [Upscaling2x2] with a norm and GELU between them: sixteen pixels of one, which stay
/// together.
final class Upscaling4x4 {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;
  private static final float GROUP_NORM_EPS = 1e-5f;

  private final Upscaling2x2 first;
  private final Between between;
  private final Upscaling2x2 second;

  /// A norm and GELU.
  @FunctionalInterface
  private interface Between {
    Tensor forward(Functional f, Tensor x);
  }

  private Upscaling4x4(Weights weights, long in, long middle, long out, Between between) {
    first = new Upscaling2x2(weights.at("0"), in, middle);
    this.between = between;
    second = new Upscaling2x2(weights.at("3"), middle, out);
  }

  /// With a norm of each pixel's channels.
  ///
  /// @param weights of a sequence whose parts are 0, 1 and 3
  static Upscaling4x4 withLayerNorm(Weights weights, long in, long middle, long out) {
    var norm = weights.layerNorm("1", middle, LAYER_NORM_2D_EPS);
    return new Upscaling4x4(
        weights, in, middle, out, (f, x) -> f.activate(norm.forward(f, x), Activation.GELU));
  }

  /// With a norm of all pixels and channels together, as EfficientSAM has it.
  ///
  /// @param weights of a sequence whose parts are 0, 1 and 3
  static Upscaling4x4 withGroupNorm(Weights weights, long in, long middle, long out) {
    var norm = weights.groupNorm("1", 1, middle, GROUP_NORM_EPS);
    return new Upscaling4x4(
        weights, in, middle, out, (f, x) -> norm.forward(f, x, Activation.GELU));
  }

  /// x (B, T, I), result (B, 16 T, O): the pixels of a token together, and among them those of a
  /// quarter.
  Tensor forward(Functional f, Tensor x, Epilogue last) {
    return second.forward(f, between.forward(f, first.forward(f, x, Epilogue.NONE)), last);
  }

  /// The same with SAM 2's finer levels, and GELU at the end.
  ///
  /// @param levels what is added before that: (16 T, O), and before the norm: (4 T, M)
  Tensor forward(Functional f, Tensor x, List<Tensor> levels) {
    var y = between.forward(f, first.forward(f, x, levels.get(1)));
    return f.activate(second.forward(f, y, levels.get(0)), Activation.GELU);
  }

  /// The pixels of x (1, s G, s G, C), s being 2 or 4, in the order that [#forward] has after one
  /// or two steps: (s s G G, C).
  static Tensor byTokens(Functional f, Tensor x, int scale) {
    long side = x.dim(1);
    long grid = side / scale;
    var out = f.empty(side * side, x.dim(3));
    long bytes = x.byteSize() / (side * side);
    f.ops()
        .workers()
        .forEach(
            side,
            1,
            (_, from, to) -> {
              for (long y = from; y < to; y++) {
                for (long i = 0; i < side / 2; i++) {
                  long at = scale == 4 ? pair(grid, y, i) : (y / 2 * grid + i) * 4 + y % 2 * 2;
                  long source = (y * side + 2 * i) * bytes;
                  MemorySegment.copy(x.segment(), source, out.segment(), at * bytes, 2 * bytes);
                }
              }
            });
    return out;
  }

  /// Where the pixels 2 i and 2 i + 1 of row `y` stand, one behind the other, among those that
  /// [#forward] makes of `grid` x `grid` tokens.
  static long pair(long grid, long y, long i) {
    return (y / 4 * grid + i / 2) * 16 + y / 2 % 2 * 8 + i % 2 * 4 + y % 2 * 2;
  }
}
