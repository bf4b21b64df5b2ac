package io.gatun.tensor;

import io.gatun.tensor.kernel.ggml.Dequantize;
import java.util.Arrays;
import java.util.Locale;

/// Prints a tensor for people.
final class TensorFormat {
  private static final int SHOWN = 6;

  /// Rows and columns of a matrix that is shown whole.
  private static final int MATRIX = 8;

  private static final long STATISTICS_LIMIT = 1_000_000;

  private TensorFormat() {}

  static String format(Tensor t) {
    var text = new StringBuilder(t.dtype().name()).append(' ').append(t.shape());
    if (!t.segment().scope().isAlive()) {
      return text.append(" [closed]").toString();
    }
    if (t.size() == 0) {
      return text.append(" []").toString();
    }
    if (!Dequantize.supports(t.dtype()) && t.scales() == null) {
      return text.append(" [values not readable]").toString();
    }
    if (t.size() > STATISTICS_LIMIT) {
      return text.append(' ').append(values(first(t), SHOWN)).toString();
    }
    float[] all = t.toFloats();
    double sum = 0;
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    long bad = 0;
    for (float v : all) {
      sum += v;
      min = Math.min(min, v);
      max = Math.max(max, v);
      bad += Float.isFinite(v) ? 0 : 1;
    }
    boolean matrix = t.shape().rank() == 2 && t.dim(0) <= MATRIX && t.dim(1) <= MATRIX;
    if (!matrix) {
      text.append(' ').append(values(all, SHOWN));
    }
    text.append(
        String.format(Locale.ROOT, " min %.4g max %.4g mean %.4g", min, max, sum / all.length));
    if (bad > 0) {
      text.append(" (").append(bad).append(" not finite)");
    }
    if (matrix) {
      int columns = (int) t.dim(1);
      for (int from = 0; from < all.length; from += columns) {
        text.append('\n').append(values(Arrays.copyOfRange(all, from, from + columns), MATRIX));
      }
    }
    return text.toString();
  }

  /// The first elements of the innermost dimension.
  private static float[] first(Tensor t) {
    var values = new float[(int) Math.min(SHOWN + 1, t.dim(-1))];
    var index = new long[t.shape().rank()];
    for (int i = 0; i < values.length; i++) {
      index[index.length - 1] = i;
      values[i] = t.getFloat(index);
    }
    return values;
  }

  private static String values(float[] v, int shown) {
    var text = new StringBuilder("[");
    for (int i = 0; i < Math.min(shown, v.length); i++) {
      text.append(i == 0 ? "" : ", ").append(String.format(Locale.ROOT, "%.4g", v[i]));
    }
    return text.append(v.length > shown ? ", ...]" : "]").toString();
  }
}
