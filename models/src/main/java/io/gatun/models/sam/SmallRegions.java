package io.gatun.models.sam;

import java.util.Arrays;

/// Fills small holes of masks and removes small islands.
///
/// Source: `remove_small_regions` in `segment_anything/utils/amg.py`. Regions hang together by
/// edges and corners; they are found from the runs of each row, joined by union-find.
final class SmallRegions {
  private final int width;
  private final int height;

  // Runs in the order of rows: row, first column, column after the last, and the run that stands
  // for the region (union-find).
  private int runs;
  private int[] rows = new int[256];
  private int[] begins = new int[256];
  private int[] ends = new int[256];
  private int[] parents = new int[256];

  private SmallRegions(int width, int height) {
    this.width = width;
    this.height = height;
  }

  /// The mask without holes of fewer than `minArea` pixels; the same object if there are none.
  static Mask fillHoles(Mask mask, int minArea) {
    var regions = new SmallRegions(mask.width(), mask.height());
    regions.collect(mask.words(), -1L);
    boolean[] small = regions.smaller(minArea);
    if (small == null) {
      return mask;
    }
    long[] words = mask.words().clone();
    for (int i = 0; i < regions.runs; i++) {
      if (small[regions.find(i)]) {
        regions.set(words, i);
      }
    }
    return new Mask(mask.width(), mask.height(), mask.score(), words);
  }

  /// The mask without islands of fewer than `minArea` pixels; if all of them are, the largest one
  /// stays. The same object if there are none.
  static Mask removeIslands(Mask mask, int minArea) {
    var regions = new SmallRegions(mask.width(), mask.height());
    regions.collect(mask.words(), 0);
    boolean[] small = regions.smaller(minArea);
    if (small == null) {
      return mask;
    }
    regions.spareOne(small);
    var words = new long[mask.words().length];
    for (int i = 0; i < regions.runs; i++) {
      if (!small[regions.find(i)]) {
        regions.set(words, i);
      }
    }
    return new Mask(mask.width(), mask.height(), mask.score(), words);
  }

  /// Finds the regions of 1s, or, where `flip` is all ones, of 0s.
  private void collect(long[] words, long flip) {
    int stride = BitRows.stride(width);
    int above = 0; // the first run of the row above
    for (int y = 0; y < height; y++) {
      int first = runs;
      for (int x = next(words, y * stride, 0, flip); x < width; ) {
        int end = next(words, y * stride, x, ~flip);
        addRun(y, x, end);
        x = next(words, y * stride, end, flip);
      }
      join(above, first, runs);
      above = first;
    }
  }

  /// The first column from `x` on whose bit is not flip's, or the width.
  private int next(long[] words, int start, int x, long flip) {
    while (x < width) {
      long rest = (words[start + (x >>> 6)] ^ flip) >>> x;
      if (rest != 0) {
        return Math.min(width, x + Long.numberOfTrailingZeros(rest));
      }
      x = (x | 63) + 1;
    }
    return width;
  }

  private void addRun(int row, int begin, int end) {
    if (runs == rows.length) {
      rows = Arrays.copyOf(rows, 2 * runs);
      begins = Arrays.copyOf(begins, 2 * runs);
      ends = Arrays.copyOf(ends, 2 * runs);
      parents = Arrays.copyOf(parents, 2 * runs);
    }
    rows[runs] = row;
    begins[runs] = begin;
    ends[runs] = end;
    parents[runs] = runs;
    runs++;
  }

  /// Joins the runs `above` .. `first` of one row with those up to `last` of the next where they
  /// touch, corners included.
  private void join(int above, int first, int last) {
    int a = above;
    int b = first;
    while (a < first && b < last) {
      if (begins[a] <= ends[b] && begins[b] <= ends[a]) {
        int one = find(a);
        int other = find(b);
        parents[Math.max(one, other)] = Math.min(one, other);
      }
      if (ends[a] < ends[b]) {
        a++;
      } else {
        b++;
      }
    }
  }

  private int find(int run) {
    int r = run;
    while (parents[r] != r) {
      parents[r] = parents[parents[r]];
      r = parents[r];
    }
    return r;
  }

  private int[] areas() {
    var areas = new int[runs];
    for (int i = 0; i < runs; i++) {
      areas[find(i)] += ends[i] - begins[i];
    }
    return areas;
  }

  /// For each run that stands for a region whether that is small; null if none is.
  private boolean[] smaller(int minArea) {
    int[] areas = areas();
    var small = new boolean[runs];
    boolean any = false;
    for (int i = 0; i < runs; i++) {
      small[i] = parents[i] == i && areas[i] < minArea;
      any |= small[i];
    }
    return any ? small : null;
  }

  /// Takes the largest region, the first of them, out of the small ones if there are no others.
  private void spareOne(boolean[] small) {
    int[] areas = areas();
    int largest = 0;
    for (int i = 0; i < runs; i++) {
      if (parents[i] == i && !small[i]) {
        return;
      }
      largest = areas[i] > areas[largest] ? i : largest;
    }
    small[largest] = false;
  }

  private void set(long[] words, int run) {
    BitRows.setRange(words, rows[run] * BitRows.stride(width), begins[run], ends[run]);
  }
}
