package io.gatun.models.quantize;

import java.util.Arrays;

/// Rounds a group of a row's weights to integers of one scale, so that what the layer makes of them
/// is off by as little as can be.
///
/// The error of weights d = w - s q is `||d C||^2`, C C^T being the layer's Hessian. Columns are
/// rounded from the last to the first, each making up for those behind it: of column j nothing is
/// left but `(w_j - s q_j) C_jj + sum of d_i C_ij for i > j`, and q_j makes that least (GPTQ,
/// Frantar et al. 2022; written as Babai's nearest plane, Chen et al. 2025, it needs no inverse of
/// the Hessian).
///
/// Not for several threads at once.
final class GroupRounding {
  /// Parts of the range that the scale may span: the greatest magnitude, or less of it, which cuts
  /// the greatest weights off for the sake of the others.
  private static final float[] SHARES = {1, 0.97f, 0.94f, 0.91f, 0.88f, 0.84f, 0.8f, 0.75f, 0.7f};

  private static final int REFITS = 2;

  private final int least;
  private final int greatest;
  private final int size;
  private final float[] errors;
  private final int[] tried;
  private final float[] wanted;

  /// What was found: the integers.
  final int[] integers;

  /// What was found: their scale, an F16.
  float scale;

  private float leastError;

  GroupRounding(int bits, int size) {
    this.size = size;
    least = bits == 4 ? -8 : -127;
    greatest = bits == 4 ? 7 : 127;
    errors = new float[size];
    tried = new int[size];
    wanted = new float[size];
    integers = new int[size];
  }

  /// Finds scale and integers.
  ///
  /// @param w the weights
  /// @param before what the errors of columns behind this group leave in each of its columns, and
  ///   what else is asked of them
  /// @param c (size, size) of the group's columns, row-major, of which the lower triangle counts
  void round(float[] w, float[] before, float[] c) {
    float max = want(w, before, c);
    leastError = Float.POSITIVE_INFINITY;
    scale = 0;
    Arrays.fill(integers, 0);
    if (max == 0) {
      return;
    }
    for (float share : SHARES) {
      // The side with one integer more is the greatest weight's, or not.
      consider(f16(share * max / least), w, before, c);
      consider(f16(share * max / greatest), w, before, c);
    }
    for (int i = 0; i < REFITS; i++) {
      consider(f16(fitted(c)), w, before, c);
    }
  }

  /// The weights that would leave nothing; the greatest of them in magnitude.
  private float want(float[] w, float[] before, float[] c) {
    float max = 0;
    for (int j = size - 1; j >= 0; j--) {
      float sum = before[j];
      for (int i = j + 1; i < size; i++) {
        sum += (w[i] - wanted[i]) * c[i * size + j];
      }
      wanted[j] = w[j] + sum / c[j * size + j];
      max = Math.abs(wanted[j]) > Math.abs(max) ? wanted[j] : max;
    }
    return max;
  }

  private void consider(float s, float[] w, float[] before, float[] c) {
    if (s == 0 || !Float.isFinite(s)) {
      return;
    }
    float inverse = 1 / s;
    float left = 0;
    for (int j = size - 1; j >= 0; j--) {
      float sum = before[j];
      for (int i = j + 1; i < size; i++) {
        sum += errors[i] * c[i * size + j];
      }
      float pivot = c[j * size + j];
      int q = Math.clamp(Math.round((w[j] + sum / pivot) * inverse), least, greatest);
      tried[j] = q;
      errors[j] = w[j] - s * q;
      float rest = errors[j] * pivot + sum;
      left += rest * rest;
    }
    if (left < leastError) {
      leastError = left;
      scale = s;
      System.arraycopy(tried, 0, integers, 0, size);
    }
  }

  /// The scale with which the integers come nearest to the weights that would leave nothing.
  private float fitted(float[] c) {
    double products = 0;
    double squares = 0;
    for (int j = 0; j < size; j++) {
      double a = 0;
      double b = 0;
      for (int i = j; i < size; i++) {
        a += (double) integers[i] * c[i * size + j];
        b += (double) wanted[i] * c[i * size + j];
      }
      products += a * b;
      squares += a * a;
    }
    return squares == 0 ? 0 : (float) (products / squares);
  }

  private static float f16(float value) {
    return Float.float16ToFloat(Float.floatToFloat16(value));
  }
}
