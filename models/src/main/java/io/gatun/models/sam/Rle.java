package io.gatun.models.sam;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/// A mask in COCO's run lengths: it is read column by column, and the lengths of the runs of 0s and
/// 1s stand by turns, beginning with 0s, of which there may be none.
///
/// Source: COCO's mask API (`maskApi.c` of pycocotools): `rleEncode`, `rleToString`, `rleFrString`.
///
/// @param width the mask's width
/// @param height the mask's height
/// @param counts the runs' lengths
public record Rle(int width, int height, int[] counts) {
  /// @throws IllegalArgumentException if the runs are not as long together as the mask has pixels
  public Rle {
    long sum = 0;
    for (int count : counts) {
      if (count < 0) {
        throw new IllegalArgumentException("a run of " + count + " pixels");
      }
      sum += count;
    }
    if (width < 1 || height < 1 || sum != (long) width * height) {
      throw new IllegalArgumentException(
          "runs of %d pixels together for a mask of %d x %d".formatted(sum, width, height));
    }
  }

  static Rle of(Mask mask) {
    int height = mask.height();
    long[] columns = BitRows.transpose(mask.words(), height, mask.width());
    int stride = BitRows.stride(height);
    var counts = new int[64];
    int n = 0;
    int run = 0;
    long current = 0; // all bits are those of the current run
    for (int x = 0; x < mask.width(); x++) {
      for (int left = height, i = x * stride; left > 0; left -= 64, i++) {
        int bits = Math.min(64, left);
        int at = 0;
        while (at < bits) {
          int same = Math.min(bits - at, Long.numberOfTrailingZeros((columns[i] ^ current) >>> at));
          run += same;
          at += same;
          if (at < bits) {
            if (n == counts.length) {
              counts = Arrays.copyOf(counts, 2 * n);
            }
            counts[n++] = run;
            run = 0;
            current = ~current;
          }
        }
      }
    }
    counts = Arrays.copyOf(counts, n + 1);
    counts[n] = run;
    return new Rle(mask.width(), height, counts);
  }

  /// The mask itself.
  ///
  /// @param score the mask's score, see [Mask#score]
  public Mask toMask(float score) {
    int stride = BitRows.stride(height);
    var columns = new long[width * stride];
    long at = 0;
    for (int i = 0; i < counts.length; i++) {
      long end = at + counts[i];
      while (i % 2 == 1 && at < end) {
        int x = (int) (at / height);
        int y = (int) (at % height);
        int bottom = (int) Math.min(height, y + end - at);
        BitRows.setRange(columns, x * stride, y, bottom);
        at += bottom - y;
      }
      at = end;
    }
    return new Mask(width, height, score, BitRows.transpose(columns, width, height));
  }

  /// The number of the mask's pixels.
  public int area() {
    int area = 0;
    for (int i = 1; i < counts.length; i += 2) {
      area += counts[i];
    }
    return area;
  }

  /// The counts as COCO writes them: each as its difference from the one before the last, in groups
  /// of five bits from the lowest, as characters from `0` to `o`.
  public String compressed() {
    var text = new StringBuilder();
    for (int i = 0; i < counts.length; i++) {
      long x = i > 2 ? (long) counts[i] - counts[i - 2] : counts[i];
      boolean more;
      do {
        long group = x & 0x1F;
        x >>= 5;
        more = (group & 0x10) != 0 ? x != -1 : x != 0;
        text.append((char) (48 + (more ? group | 0x20 : group)));
      } while (more);
    }
    return text.toString();
  }

  /// COCO's record, ready to become JSON: `{"size": [height, width], "counts": ...}`, the counts
  /// compressed or as numbers.
  public Map<String, Object> toMap(boolean compressed) {
    var map = new LinkedHashMap<String, Object>();
    map.put("size", new int[] {height, width});
    map.put("counts", compressed ? compressed() : counts);
    return map;
  }

  /// Reads what [#compressed] wrote.
  ///
  /// @throws IllegalArgumentException if that is not a mask of this size
  public static Rle parse(String compressed, int width, int height) {
    var counts = new int[compressed.length()];
    int n = 0;
    for (int at = 0; at < compressed.length(); ) {
      long x = 0;
      int shift = 0;
      int group;
      do {
        group = at < compressed.length() ? compressed.charAt(at++) - 48 : -1;
        if (group < 0 || group > 0x3F || shift > 30) {
          throw new IllegalArgumentException(
              "character %d of the run lengths \"%s\" does not belong there"
                  .formatted(at, compressed));
        }
        x |= (long) (group & 0x1F) << shift;
        shift += 5;
      } while ((group & 0x20) != 0);
      if ((group & 0x10) != 0) {
        x |= -1L << shift;
      }
      counts[n] = Math.toIntExact(n > 2 ? x + counts[n - 2] : x);
      n++;
    }
    return new Rle(width, height, Arrays.copyOf(counts, n));
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof Rle r
        && r.width == width
        && r.height == height
        && Arrays.equals(r.counts, counts);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * width + height) + Arrays.hashCode(counts);
  }

  /// `Rle(640 x 480, 35 runs)`.
  @Override
  public String toString() {
    return "Rle(%d x %d, %d runs)".formatted(width, height, counts.length);
  }
}
