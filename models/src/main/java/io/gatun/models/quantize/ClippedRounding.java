package io.gatun.models.quantize;

/// Rounds a group of a row's weights to the nearest integers of one scale. Of scales that cut off
/// more or less of the greatest weights it takes the one with which what the group contributes is
/// off by least, as calibration inputs weigh it: `d H d^T` of errors d.
///
/// Not for several threads at once.
final class ClippedRounding {
  /// Parts of the range that the scale spans.
  private static final int SHARES = 20;

  private static final float LEAST_SHARE = 0.5f;

  private final int least;
  private final int greatest;
  private final int size;
  private final float[] errors;
  private final float[] products;

  /// The integers.
  final int[] integers;

  /// Their scale, an F16.
  float scale;

  ClippedRounding(int bits, int size) {
    this.size = size;
    least = bits == 4 ? -8 : -127;
    greatest = bits == 4 ? 7 : 127;
    errors = new float[size];
    products = new float[size];
    integers = new int[size];
  }

  /// Finds scale and integers.
  ///
  /// @param w the weights
  /// @param h (size, size): H of their inputs
  /// @param clips whether scales that cut off are tried
  void round(float[] w, float[] h, boolean clips) {
    float max = 0;
    for (float x : w) {
      max = Math.abs(x) > Math.abs(max) ? x : max;
    }
    float best = 0;
    float leastError = Float.POSITIVE_INFINITY;
    for (int i = 0; i < (clips ? SHARES : 1); i++) {
      float share = 1 - (1 - LEAST_SHARE) * i / SHARES;
      // The side with one integer more is the greatest weight's, or not.
      for (int limit : new int[] {least, greatest}) {
        float s = Float.float16ToFloat(Float.floatToFloat16(share * max / limit));
        float error = s == 0 || !Float.isFinite(s) ? Float.POSITIVE_INFINITY : error(w, s, h);
        if (error < leastError) {
          leastError = error;
          best = s;
        }
      }
    }
    scale = best;
    for (int k = 0; k < size; k++) {
      integers[k] = best == 0 ? 0 : Math.clamp(Math.round(w[k] / best), least, greatest);
    }
  }

  private float error(float[] w, float s, float[] h) {
    float inverse = 1 / s;
    for (int k = 0; k < size; k++) {
      errors[k] = w[k] - s * Math.clamp(Math.round(w[k] * inverse), least, greatest);
      products[k] = 0;
    }
    for (int i = 0; i < size; i++) {
      float d = errors[i];
      for (int k = 0; k < size; k++) {
        products[k] += d * h[i * size + k];
      }
    }
    float sum = 0;
    for (int k = 0; k < size; k++) {
      sum += errors[k] * products[k];
    }
    return sum;
  }
}
