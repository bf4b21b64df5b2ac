package io.gatun.models.sam;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Makes masks of an image's size from low-resolution logits, one at a time, so that no logits of
/// that size are ever held.
///
/// Source: `postprocess_masks` in `segment_anything/modeling/sam.py`, `calculate_stability_score`
/// in `segment_anything/utils/amg.py`.
public final class MaskUpscaler {
  /// Memory for one mask at a time.
  ///
  /// @param rows (h, W) logits stretched to the image's width
  /// @param line (W) logits of one row of the image
  public record Scratch(float[] low, float[] rows, float[] line) {}

  /// A mask and how much it depends on the threshold.
  ///
  /// @param stability the pixels above the threshold plus an offset over those above it minus the
  ///   offset: NaN if there are none
  public record Result(Mask mask, float stability) {}

  private final int lowWidth;
  private final int lowHeight;
  private final Upscaling across;
  private final Upscaling down;

  /// For masks of (lowHeight, lowWidth) about an image of (height, width) that was resized and
  /// padded to a square.
  MaskUpscaler(int lowWidth, int lowHeight, Resize resize, int width, int height) {
    this.lowWidth = lowWidth;
    this.lowHeight = lowHeight;
    across = resize.upscaling(lowWidth, resize.width(width, height), width);
    down = resize.upscaling(lowHeight, resize.height(width, height), height);
  }

  public Scratch newScratch() {
    return new Scratch(
        new float[lowWidth + Upscaling.TAPS],
        new float[(lowHeight + Upscaling.TAPS) * across.size()],
        new float[across.size()]);
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
    int used = Math.min(lowHeight, down.first()[height - 1] + Upscaling.TAPS);
    for (int y = 0; y < used; y++) {
      long at = offset + (long) y * lowWidth * Float.BYTES;
      MemorySegment.copy(logits, ValueLayout.JAVA_FLOAT, at, scratch.low, 0, lowWidth);
      stretch(scratch.low, scratch.rows, y * width);
    }
    int stride = BitRows.stride(width);
    var words = new long[height * stride];
    int inner = 0;
    int outer = 0;
    for (int y = 0; y < height; y++) {
      mix(scratch.rows, y, scratch.line);
      pack(scratch.line, threshold, words, y * stride);
      inner += count(scratch.line, threshold + stabilityOffset);
      outer += count(scratch.line, threshold - stabilityOffset);
    }
    return new Result(new Mask(width, height, score, words), (float) inner / outer);
  }

  private void stretch(float[] low, float[] rows, int start) {
    float[] w = across.weights();
    for (int x = 0; x < across.size(); x++) {
      int i = across.first()[x];
      rows[start + x] =
          low[i] * w[Upscaling.TAPS * x]
              + low[i + 1] * w[Upscaling.TAPS * x + 1]
              + low[i + 2] * w[Upscaling.TAPS * x + 2];
    }
  }

  private void mix(float[] rows, int y, float[] line) {
    int width = line.length;
    int a = down.first()[y] * width;
    int b = a + width;
    int c = b + width;
    float wa = down.weights()[Upscaling.TAPS * y];
    float wb = down.weights()[Upscaling.TAPS * y + 1];
    float wc = down.weights()[Upscaling.TAPS * y + 2];
    for (int x = 0; x < width; x++) {
      line[x] = rows[a + x] * wa + rows[b + x] * wb + rows[c + x] * wc;
    }
  }

  private static int count(float[] line, float threshold) {
    int n = 0;
    for (float v : line) {
      n += v > threshold ? 1 : 0;
    }
    return n;
  }

  private static void pack(float[] line, float threshold, long[] words, int start) {
    for (int x = 0; x < line.length; x += 64) {
      long word = 0;
      int end = Math.min(64, line.length - x);
      for (int i = 0; i < end; i++) {
        word |= (line[x + i] > threshold ? 1L : 0L) << i;
      }
      words[start + (x >>> 6)] = word;
    }
  }
}
