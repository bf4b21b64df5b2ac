package io.gatun.models.sam;

import java.util.List;

/// The masks that a model offers for one prompt.
public final class Prediction {
  private final List<Mask> masks;
  private final float[][] lowResLogits;

  /// @param masks one or three masks, in the model's order
  /// @param lowResLogits the low-resolution logits of each
  public Prediction(List<Mask> masks, float[][] lowResLogits) {
    this.masks = List.copyOf(masks);
    this.lowResLogits = lowResLogits;
  }

  /// The masks, in the model's order: a part of a part, a part, the whole, where there are three.
  public List<Mask> masks() {
    return masks;
  }

  /// The mask that the model itself holds to be the best.
  public Mask best() {
    return masks.get(bestIndex());
  }

  /// The number of the mask that the model itself holds to be the best.
  public int bestIndex() {
    int best = 0;
    for (int i = 1; i < masks.size(); i++) {
      best = masks.get(i).score() > masks.get(best).score() ? i : best;
    }
    return best;
  }

  /// The logits that a mask was made from, (h, w) row by row: [Prompt#withMask] takes them, so that
  /// the next prompt builds on this mask.
  public float[] lowResLogits(int mask) {
    return lowResLogits[mask].clone();
  }

  /// `Prediction([Mask(640 x 480, 12345 pixels, score 0.93)])`.
  @Override
  public String toString() {
    return "Prediction(" + masks + ")";
  }
}
