package io.gatun.models.sam;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Makes masks of an image's size from low-resolution logits, one at a time, so that no logits of
/// that size are ever held.
///
/// A pixel is a mean of neighbours, so it lies between their least and greatest. Where both are on
/// one side of the thresholds, as they are but along the mask's edge, 64 pixels are one word, and
/// not computed.
///
/// Source: `postprocess_masks` in `segment_anything/modeling/sam.py`, `calculate_stability_score`
/// in `segment_anything/utils/amg.py`.
public final class MaskUpscaler {
  private static final int WORD = Long.SIZE;

  /// What rounding may move a mean beyond its least and greatest part, as a share of them.
  private static final float ROUNDING = 1e-5f;

  /// Memory for one mask at a time.
  ///
  /// @param low (h, w) logits with room for what weighs nothing
  /// @param least of the logits that the pixels of a word come from, in each row (h, words)
  /// @param greatest likewise
  /// @param stretched which words of `rows` are there (h, words)
  /// @param rows (h, W) logits stretched to the image's width
  /// @param line the logits of a word's pixels
  public record Scratch(
      float[] low,
      float[] least,
      float[] greatest,
      boolean[] stretched,
      float[] rows,
      float[] line) {}

  /// A mask and how much it depends on the threshold.
  ///
  /// @param stability the pixels above the threshold plus an offset over those above it minus the
  ///   offset: NaN if there are none
  public record Result(Mask mask, float stability) {}

  private final int lowWidth;
  private final int lowHeight;
  private final int lowStride;
  private final int words; // of a row
  private final Upscaling across;
  private final Upscaling down;

  /// For masks of (lowHeight, lowWidth) about an image of (height, width) that was resized and
  /// padded to a square.
  MaskUpscaler(int lowWidth, int lowHeight, Resize resize, int width, int height) {
    this.lowWidth = lowWidth;
    this.lowHeight = lowHeight;
    lowStride = lowWidth + Upscaling.TAPS;
    words = BitRows.stride(width);
    across = resize.upscaling(lowWidth, resize.width(width, height), width);
    down = resize.upscaling(lowHeight, resize.height(width, height), height);
  }

  public Scratch newScratch() {
    int rows = lowHeight + Upscaling.TAPS;
    return new Scratch(
        new float[rows * lowStride],
        new float[rows * words],
        new float[rows * words],
        new boolean[rows * words],
        new float[rows * across.size()],
        new float[WORD]);
  }

  /// The mask of the pixels whose logit is above `threshold`.
  ///
  /// @param logits F32; those of this mask begin at byte `offset`
  /// @param stabilityOffset how far the threshold is moved for the stability
  /// @param score the mask's score
  public Result run(
      MemorySegment logits,
      long offset,
      float threshold,
      float stabilityOffset,
      float score,
      Scratch scratch) {
    int width = across.size();
    int height = down.size();
    read(logits, offset, scratch);
    float upper = threshold + stabilityOffset;
    float lower = threshold - stabilityOffset;
    var bits = new long[height * words];
    int inner = 0;
    int outer = 0;
    for (int y = 0; y < height; y++) {
      for (int i = 0; i < words; i++) {
        int pixels = Math.min(WORD, width - WORD * i);
        int from = down.first()[y] * words + i;
        float least = ofRows(scratch.least, from, true);
        float greatest = ofRows(scratch.greatest, from, false);
        float margin = ROUNDING * Math.max(Math.abs(least), Math.abs(greatest));
        if (least - margin > upper) {
          bits[y * words + i] = -1L >>> (WORD - pixels);
          inner += pixels;
          outer += pixels;
        } else if (!(greatest + margin < lower)) {
          mix(y, i, pixels, scratch);
          bits[y * words + i] = above(scratch.line, pixels, threshold);
          inner += Long.bitCount(above(scratch.line, pixels, upper));
          outer += Long.bitCount(above(scratch.line, pixels, lower));
        }
      }
    }
    return new Result(new Mask(width, height, score, bits), (float) inner / outer);
  }

  /// Reads the rows that pixels come from, and sees what is least and greatest where.
  private void read(MemorySegment logits, long offset, Scratch scratch) {
    int used = Math.min(lowHeight, down.first()[down.size() - 1] + Upscaling.TAPS);
    Arrays.fill(scratch.stretched, false);
    Arrays.fill(scratch.least, Float.POSITIVE_INFINITY);
    Arrays.fill(scratch.greatest, Float.NEGATIVE_INFINITY);
    float[] low = scratch.low;
    for (int y = 0; y < used; y++) {
      long at = offset + (long) y * lowWidth * Float.BYTES;
      int row = y * lowStride;
      MemorySegment.copy(logits, ValueLayout.JAVA_FLOAT, at, low, row, lowWidth);
      for (int i = 0; i < words; i++) {
        int first = across.first()[WORD * i];
        int last = across.first()[Math.min(across.size(), WORD * (i + 1)) - 1] + Upscaling.TAPS;
        float least = Float.POSITIVE_INFINITY;
        float greatest = Float.NEGATIVE_INFINITY;
        for (int x = first; x < Math.min(last, lowWidth); x++) {
          least = Math.min(least, low[row + x]);
          greatest = Math.max(greatest, low[row + x]);
        }
        scratch.least[y * words + i] = least;
        scratch.greatest[y * words + i] = greatest;
      }
    }
  }

  /// The least or the greatest of three rows.
  private float ofRows(float[] values, int at, boolean least) {
    float a = values[at];
    float b = values[at + words];
    float c = values[at + 2 * words];
    return least ? Math.min(a, Math.min(b, c)) : Math.max(a, Math.max(b, c));
  }

  /// The logits of the pixels of word `i` in row `y`.
  private void mix(int y, int i, int pixels, Scratch scratch) {
    int row = down.first()[y];
    for (int t = row; t < row + Upscaling.TAPS; t++) {
      if (!scratch.stretched[t * words + i]) {
        scratch.stretched[t * words + i] = true;
        stretch(t, WORD * i, pixels, scratch);
      }
    }
    int width = across.size();
    int a = row * width + WORD * i;
    int b = a + width;
    int c = b + width;
    float wa = down.weights()[Upscaling.TAPS * y];
    float wb = down.weights()[Upscaling.TAPS * y + 1];
    float wc = down.weights()[Upscaling.TAPS * y + 2];
    float[] rows = scratch.rows;
    for (int x = 0; x < pixels; x++) {
      scratch.line[x] = rows[a + x] * wa + rows[b + x] * wb + rows[c + x] * wc;
    }
  }

  /// Stretches a part of low-resolution row `y` to the image's width.
  private void stretch(int y, int from, int pixels, Scratch scratch) {
    float[] w = across.weights();
    float[] low = scratch.low;
    for (int x = from; x < from + pixels; x++) {
      int i = y * lowStride + across.first()[x];
      scratch.rows[y * across.size() + x] =
          low[i] * w[Upscaling.TAPS * x]
              + low[i + 1] * w[Upscaling.TAPS * x + 1]
              + low[i + 2] * w[Upscaling.TAPS * x + 2];
    }
  }

  private static long above(float[] line, int pixels, float threshold) {
    long word = 0;
    for (int i = 0; i < pixels; i++) {
      word |= (line[i] > threshold ? 1L : 0L) << i;
    }
    return word;
  }
}
