package io.gatun.models.sam.video;

import io.gatun.models.nn.Weights;

/// Masks that are given in place of points: as logits of the decoder's size, and as a prompt.
final class MaskDownsample {
  private static final int STEP = 4;
  private static final float SCALE = 20;
  private static final float BIAS = -10;

  private final float[] weight;
  private final float bias;

  MaskDownsample(Weights weights) {
    weight = weights.tensor("weight", 1, 1, STEP, STEP).toFloats();
    bias = weights.tensor("bias", 1).toFloats()[0];
  }

  /// The model's convolution of a mask of 0 and 1, row by row.
  ///
  /// @param side of the mask; the result's is a quarter of it
  float[] prompt(float[] mask, int side) {
    int low = side / STEP;
    var out = new float[low * low];
    for (int i = 0; i < out.length; i++) {
      float sum = bias;
      for (int k = 0; k < weight.length; k++) {
        sum += weight[k] * mask[(i / low * STEP + k / STEP) * side + i % low * STEP + k % STEP];
      }
      out[i] = sum;
    }
    return out;
  }

  /// Logits of a mask of 0 and 1, at a quarter of its size: the mean of its pixels' -10 and 10 by a
  /// triangle that reaches to the next ones' centres.
  static float[] logits(float[] mask, int side) {
    int low = side / STEP;
    var rows = new float[low * side];
    for (int i = 0; i < low; i++) {
      for (int x = 0; x < side; x++) {
        rows[i * side + x] = mean(mask, x, side, i, side);
      }
    }
    var out = new float[low * low];
    for (int i = 0; i < out.length; i++) {
      out[i] = mean(rows, i / low * side, 1, i % low, side) * SCALE + BIAS;
    }
    return out;
  }

  private static float mean(float[] in, int at, int stride, int i, int size) {
    double centre = (i + 0.5) * STEP;
    double sum = 0;
    double total = 0;
    for (int j = Math.max(0, (int) (centre - STEP)); j < Math.min(size, centre + STEP); j++) {
      double weight = 1 - Math.abs(j + 0.5 - centre) / STEP;
      sum += weight * in[at + j * stride];
      total += weight;
    }
    return (float) (sum / total);
  }
}
