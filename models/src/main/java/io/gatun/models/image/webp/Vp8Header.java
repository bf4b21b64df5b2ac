package io.gatun.models.image.webp;

import static io.gatun.models.image.webp.Vp8Tables.AC_STEPS;
import static io.gatun.models.image.webp.Vp8Tables.DC_STEPS;

import java.util.Arrays;

/// What a VP8 key frame says before its macroblocks.
///
/// Source: RFC 6386, section 9.
final class Vp8Header {
  /// Steps of the coefficients of one segment, first and others: of luminance, of its second order,
  /// and of the colours.
  record Steps(int y1Dc, int y1Ac, int y2Dc, int y2Ac, int uvDc, int uvAc) {}

  /// How strongly edges of a macroblock are smoothed; limit 0 for not at all.
  record Strength(int limit, int interior, int variance) {}

  static final int SEGMENTS = 4;

  final boolean hasSegmentMap;
  final int[] segmentProbabilities = {255, 255, 255};
  final boolean simpleFilter;

  /// 1, 2, 4 or 8, which hold the rows of macroblocks by turns.
  final int partitions;

  final Steps[] steps = new Steps[SEGMENTS];

  /// By segment, for macroblocks predicted as a whole and in 4 x 4 pixels.
  final Strength[][] strengths = new Strength[SEGMENTS][2];

  final int[] probabilities = Vp8Tables.DEFAULT_PROBABILITIES.clone();

  /// Of a macroblock not being empty; -1 if none is marked so.
  final int skipProbability;

  private final int[] quantizers = new int[SEGMENTS];
  private final int[] levels = new int[SEGMENTS];

  Vp8Header(BoolDecoder in) {
    in.number(2); // colour space and clamping, which key frames of WebP leave at 0
    boolean hasSegments = in.flag();
    boolean absolute = false;
    boolean map = false;
    if (hasSegments) {
      map = in.flag();
      if (in.flag()) {
        absolute = in.flag();
        Arrays.setAll(quantizers, _ -> in.optional(7));
        Arrays.setAll(levels, _ -> in.optional(6));
      }
      if (map) {
        Arrays.setAll(segmentProbabilities, _ -> in.flag() ? in.number(8) : 255);
      }
    }
    hasSegmentMap = map;
    simpleFilter = in.flag();
    int level = in.number(6);
    int sharpness = in.number(3);
    int intraDelta = 0;
    int subblockDelta = 0;
    boolean hasDeltas = in.flag();
    if (hasDeltas && in.flag()) {
      var deltas = new int[8];
      Arrays.setAll(deltas, _ -> in.optional(6));
      intraDelta = deltas[0];
      subblockDelta = deltas[4];
    }
    partitions = 1 << in.number(2);
    int base = in.number(7);
    var deltas = new int[5];
    Arrays.setAll(deltas, _ -> in.optional(4));
    in.flag(); // whether probabilities outlive the frame
    for (int i = 0; i < probabilities.length; i++) {
      if (in.read(Vp8Tables.UPDATE_PROBABILITIES[i])) {
        probabilities[i] = in.number(8);
      }
    }
    skipProbability = in.flag() ? in.number(8) : -1;
    for (int s = 0; s < SEGMENTS; s++) {
      steps[s] = steps(hasSegments ? quantizers[s] + (absolute ? 0 : base) : base, deltas);
      int own = (hasSegments ? levels[s] + (absolute ? 0 : level) : level) + intraDelta;
      strengths[s][0] = strength(own, sharpness);
      strengths[s][1] = strength(own + subblockDelta, sharpness);
    }
  }

  private static Steps steps(int q, int[] deltas) {
    return new Steps(
        step(DC_STEPS, q + deltas[0], 127),
        step(AC_STEPS, q, 127),
        2 * step(DC_STEPS, q + deltas[1], 127),
        Math.max(8, step(AC_STEPS, q + deltas[2], 127) * 155 / 100),
        step(DC_STEPS, q + deltas[3], 117),
        step(AC_STEPS, q + deltas[4], 127));
  }

  private static int step(int[] table, int index, int most) {
    return table[Math.clamp(index, 0, most)];
  }

  private static Strength strength(int wanted, int sharpness) {
    int level = Math.clamp(wanted, 0, 63);
    if (level == 0) {
      return new Strength(0, 0, 0);
    }
    int interior = level >> (sharpness > 4 ? 2 : sharpness > 0 ? 1 : 0);
    if (sharpness > 0) {
      interior = Math.min(interior, 9 - sharpness);
    }
    interior = Math.max(1, interior);
    return new Strength(2 * level + interior, interior, level >= 40 ? 2 : level >= 15 ? 1 : 0);
  }
}
