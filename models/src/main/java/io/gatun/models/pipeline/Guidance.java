package io.gatun.models.pipeline;

/// How the predictions for several conditions become one.
public interface Guidance {
  /// One prediction of several.
  ///
  /// @param predictions for each condition, one after the other
  /// @param size numbers of each
  float[] combine(float[] predictions, int size);

  /// `e(negative) + scale (e(prompt) - e(negative))` (Ho and Salimans 2022, arXiv:2207.12598,
  /// equation 6, with scale = 1 + w); a single prediction as it is.
  static Guidance classifierFree(double scale) {
    return (predictions, size) -> {
      if (predictions.length == size) {
        return predictions;
      }
      var out = new float[size];
      for (int i = 0; i < size; i++) {
        float without = predictions[i];
        out[i] = without + (float) scale * (predictions[size + i] - without);
      }
      return out;
    };
  }
}
