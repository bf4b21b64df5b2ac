package io.gatun.tensor;

import io.gatun.tensor.kernel.Dequantize;
import java.util.Locale;

/// Prints a tensor for people.
final class TensorFormat {
  private static final int SHOWN = 6;
  private static final long STATISTICS_LIMIT = 1_000_000;

  private TensorFormat() {}

  static String format(Tensor t) {
    var text = new StringBuilder(t.dtype().name()).append(' ').append(t.shape());
    if (t.size() == 0) {
      return text.append(" []").toString();
    }
    if (!Dequantize.supports(t.dtype())) {
      return text.append(" [values not readable]").toString();
    }
    if (t.size() > STATISTICS_LIMIT) {
      return text.append(' ').append(values(first(t))).toString();
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
    text.append(' ').append(values(all));
    text.append(
        String.format(Locale.ROOT, " min %.4g max %.4g mean %.4g", min, max, sum / all.length));
    if (bad > 0) {
      text.append(" (").append(bad).append(" not finite)");
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

  private static String values(float[] v) {
    var text = new StringBuilder("[");
    for (int i = 0; i < Math.min(SHOWN, v.length); i++) {
      text.append(i == 0 ? "" : ", ").append(String.format(Locale.ROOT, "%.4g", v[i]));
    }
    return text.append(v.length > SHOWN ? ", ...]" : "]").toString();
  }
}
