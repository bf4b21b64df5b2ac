package io.gatun.models.sam.modeling;

import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// SAM 2's choice where one mask is asked for: its own mask for that, unless this depends on where
/// the threshold is; then the best of the others.
///
/// Source: `_dynamic_multimask_via_stability` in `sam2/modeling/sam/mask_decoder.py`.
final class Stability {
  private Stability() {}

  /// The mask to take of each prompt.
  ///
  /// @param masks (B, M, H, W) F32, the first of which is the one for one
  /// @param ious (B, M)
  static int[] choose(Tensor masks, float[] ious) {
    int each = Math.toIntExact(masks.dim(1));
    var chosen = new int[Math.toIntExact(masks.dim(0))];
    for (int b = 0; b < chosen.length; b++) {
      if (of(masks.get(b).get(0)) < SamConfig.STABILITY_THRESHOLD) {
        chosen[b] = best(ious, b, each);
      }
    }
    return chosen;
  }

  /// The best mask of prompt `b` of those for several, of which each prompt has `each` - 1.
  static int best(float[] ious, int b, int each) {
    int best = 1;
    for (int i = 2; i < each; i++) {
      best = ious[b * each + i] > ious[b * each + best] ? i : best;
    }
    return best;
  }

  /// The share of pixels above the threshold when it moves up, of those when it moves down.
  private static float of(Tensor mask) {
    var row = new float[Math.toIntExact(mask.dim(1))];
    int inner = 0;
    int outer = 0;
    for (long y = 0; y < mask.dim(0); y++) {
      MemorySegment.copy(
          mask.segment(), ValueLayout.JAVA_FLOAT, 4 * y * row.length, row, 0, row.length);
      for (float v : row) {
        inner += v > (float) SamConfig.STABILITY_DELTA ? 1 : 0;
        outer += v > (float) -SamConfig.STABILITY_DELTA ? 1 : 0;
      }
    }
    return outer > 0 ? (float) inner / outer : 1;
  }
}
