package io.gatun.models.encoder;

import io.gatun.tensor.Tensor;
import java.lang.foreign.ValueLayout;

/// How the hidden states of a text's tokens become one vector.
public enum Pooling {
  /// That of the first token.
  CLS,
  /// Their mean.
  MEAN,
  /// That of the last token.
  LAST;

  /// The vectors of a batch's texts.
  ///
  /// @param hidden (T, D) F32
  public float[][] apply(Tensor hidden, TokenBatch batch) {
    int d = Math.toIntExact(hidden.dim(1));
    var vectors = new float[batch.texts()][];
    for (int i = 0; i < vectors.length; i++) {
      int start = batch.start(i);
      int length = batch.length(i);
      vectors[i] =
          switch (this) {
            case CLS -> mean(hidden, start, 1, d);
            case MEAN -> mean(hidden, start, length, d);
            case LAST -> mean(hidden, start + length - 1, 1, d);
          };
    }
    return vectors;
  }

  private static float[] mean(Tensor hidden, int first, int rows, int d) {
    var sum = new double[d];
    for (int row = first; row < first + rows; row++) {
      for (int i = 0; i < d; i++) {
        sum[i] += hidden.segment().getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * d + i);
      }
    }
    var mean = new float[d];
    for (int i = 0; i < d; i++) {
      mean[i] = (float) (sum[i] / rows);
    }
    return mean;
  }
}
