package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Half-quadratic quantization (Badri and Shaji 2023, "HQQ"): rounds weights so that the l_p norm
/// of the errors is small, p < 1, which forgives the few weights that no scale of the others
/// serves. It needs no calibration.
///
/// It alternates between the integers and the errors that are held to be outliers, e = shrink(w - s
/// q), and what else is to be fitted to w - e. HQQ fits a zero point; tiles have none, and here it
/// is the scale.
final class HalfQuadratic {
  private static final float P = 0.7f;
  private static final float BETA = 10;
  private static final float KAPPA = 1.01f;
  private static final int ITERATIONS = 20;
  private static final long SLAB = 2048;

  private HalfQuadratic() {}

  /// The rounded weights.
  ///
  /// @param w (N, K) without gaps
  /// @param out where they go
  static Tensor round(Workers workers, Tensor w, DType.Tiled type, Arena out) {
    long columns = w.dim(1);
    int size = type.groupSize();
    try (var arena = Arena.ofShared()) {
      var rounded = new RoundedMatrix(type, w.dim(0), columns, arena);
      for (long start = 0; start < w.dim(0); start += SLAB) {
        long first = start;
        long rows = Math.min(SLAB, w.dim(0) - first);
        try (var slab = Arena.ofShared()) {
          var floats = RoundedMatrix.floats(workers, w.slice(0, first, first + rows), slab);
          workers.forEach(
              rows,
              1,
              (worker, from, to) -> {
                var group = new float[size];
                var integers = new int[size];
                for (long r = from; r < to; r++) {
                  for (int g = 0; g < columns / size; g++) {
                    long at = (r * columns + (long) g * size) * Float.BYTES;
                    MemorySegment.copy(floats, ValueLayout.JAVA_FLOAT, at, group, 0, size);
                    rounded.setScale(first + r, g, round(group, type.bits(), integers));
                    for (int k = 0; k < size; k++) {
                      rounded.set(first + r, g * size + k, integers[k]);
                    }
                  }
                }
              });
        }
      }
      return rounded.tiles(workers, out);
    }
  }

  /// The scale of a group; fills in its integers.
  private static float round(float[] w, int bits, int[] integers) {
    int least = bits == 4 ? -8 : -127;
    int greatest = bits == 4 ? 7 : 127;
    float max = 0;
    for (float x : w) {
      max = Math.abs(x) > Math.abs(max) ? x : max;
    }
    float best = 0;
    double leastError = Double.POSITIVE_INFINITY;
    float scale = max / least;
    float beta = BETA;
    for (int i = 0; i < ITERATIONS && scale != 0; i++, beta *= KAPPA) {
      float s = Float.float16ToFloat(Float.floatToFloat16(scale));
      if (s == 0 || !Float.isFinite(s)) {
        break;
      }
      double error = 0;
      double products = 0;
      double squares = 0;
      for (float x : w) {
        float steps = x / s;
        int q = Math.clamp(Math.round(steps), least, greatest);
        float rest = steps - q;
        error += Math.pow(Math.abs(rest), P) * Math.pow(Math.abs(s), P);
        products += (double) (steps - shrunk(rest, beta)) * q;
        squares += (double) q * q;
      }
      if (error >= leastError) {
        break;
      }
      leastError = error;
      best = s;
      scale = squares == 0 ? 0 : (float) (s * products / squares);
    }
    for (int k = 0; k < w.length; k++) {
      integers[k] = best == 0 ? 0 : Math.clamp(Math.round(w[k] / best), least, greatest);
    }
    return best;
  }

  /// The generalized soft threshold for |x|^p.
  private static float shrunk(float x, float beta) {
    float size = Math.abs(x);
    if (size == 0) {
      return 0;
    }
    return Math.signum(x) * (float) Math.max(0, size - Math.pow(size, P - 1) / beta);
  }
}
