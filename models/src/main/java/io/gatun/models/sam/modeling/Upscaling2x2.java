package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;

/// A transposed convolution with 2x2 kernels and stride 2 whose pixels are not moved: a linear
/// layer that makes four pixels of one, which stay together.
///
/// What follows looks at each pixel for itself, so that only the last result, which has the fewest
/// channels, needs its pixels in rows.
final class Upscaling2x2 {
  private static final int PIXELS = 4;

  private final LinearWeight linear;

  Upscaling2x2(Weights weights, long in, long out) {
    var weight = weights.tensor("weight", in, out, 2, 2);
    // (in, out, y, x) to (y, x, out, in)
    var byPixels = weight.transpose(0, 2).transpose(1, 3).transpose(2, 3);
    float[] bias = weights.tensor("bias", out).toFloats();
    var repeated = new float[PIXELS * bias.length];
    for (int i = 0; i < PIXELS; i++) {
      System.arraycopy(bias, 0, repeated, i * bias.length, bias.length);
    }
    var arena = Arena.ofAuto();
    linear =
        LinearWeight.of(
            Tensor.ofFloats(arena, byPixels.toFloats(), PIXELS * out, in),
            Tensor.ofFloats(arena, repeated, PIXELS * out));
  }

  /// x (B, T, I), result (B, 4 T, O).
  Tensor forward(Functional f, Tensor x, Epilogue epilogue) {
    return pixels(f.linear(x, linear, epilogue));
  }

  /// x (B, T, I), and what is added for each B (4 T, O), result (B, 4 T, O).
  Tensor forward(Functional f, Tensor x, Tensor added) {
    return pixels(ImageProjection.added(f, x, linear, added));
  }

  private static Tensor pixels(Tensor y) {
    return y.reshape(y.dim(0), PIXELS * y.dim(1), y.dim(2) / PIXELS);
  }
}
