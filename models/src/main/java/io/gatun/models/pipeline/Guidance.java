package io.gatun.models.pipeline;

/// How the predictions for several conditions become one.
public interface Guidance {
  /// One prediction of several.
  ///
  /// @param predictions for each condition, one after the other
  /// @param size numbers of each
  float[] combine(float[] predictions, int size);

  /// `e(none) + scale (e(prompt, picture) - e(picture)) + image (e(picture) - e(none))` (Brooks et
  /// al. 2023, arXiv:2211.09800, equation 3), of the predictions without prompt and picture, with
  /// the picture, and with both; a single prediction as it is.
  static Guidance ofEdits(double scale, double image) {
    return (predictions, size) -> {
      if (predictions.length == size) {
        return predictions;
      }
      var out = new float[size];
      for (int i = 0; i < size; i++) {
        float none = predictions[i];
        float picture = predictions[size + i];
        float both = predictions[2 * size + i];
        out[i] = none + (float) scale * (both - picture) + (float) image * (picture - none);
      }
      return out;
    };
  }

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
