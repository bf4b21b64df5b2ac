package io.gatun.search;

/// Vectors as an index compares them: by direction.
final class Vectors {
  private Vectors() {}

  /// A vector of length 1 in the same direction.
  ///
  /// @throws SearchException if it has none: it is all zeros, or holds NaN or infinite numbers
  static float[] unit(float[] vector) {
    double squares = 0;
    for (float v : vector) {
      squares += (double) v * v;
    }
    if (!(squares > 0) || Double.isInfinite(squares)) {
      throw new SearchException(
          "the embedder's vector is %s; need one with a direction"
              .formatted(squares == 0 ? "all zeros" : "not finite"));
    }
    double length = Math.sqrt(squares);
    float[] unit = new float[vector.length];
    for (int i = 0; i < unit.length; i++) {
      unit[i] = (float) (vector[i] / length);
    }
    return unit;
  }
}
