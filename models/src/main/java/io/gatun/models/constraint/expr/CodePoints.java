package io.gatun.models.constraint.expr;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;

/// A set of Unicode scalar values (surrogates are in no set), as sorted ranges that do not touch.
///
/// @param bounds first and last of each range
@SuppressWarnings("ArrayRecordComponent") // compared by equals below
public record CodePoints(int[] bounds) {
  public static final CodePoints NONE = new CodePoints(new int[0]);
  public static final CodePoints ALL = new CodePoints(new int[] {0, 0xD7FF, 0xE000, 0x10FFFF});

  public static CodePoints of(int c) {
    return range(c, c);
  }

  public static CodePoints range(int first, int last) {
    return new CodePoints(new int[] {first, last}).and(ALL);
  }

  /// The code points of a text.
  public static CodePoints of(String characters) {
    return of(characters.codePoints().mapToObj(c -> new int[] {c, c}).toList());
  }

  public static CodePoints where(IntPredicate test) {
    var found = new ArrayList<int[]>();
    for (int c = 0; c <= 0x10FFFF; c++) {
      if (test.test(c)) {
        int[] last = found.isEmpty() ? null : found.getLast();
        if (last != null && last[1] == c - 1) {
          last[1] = c;
        } else {
          found.add(new int[] {c, c});
        }
      }
    }
    return joined(found).and(ALL);
  }

  /// All of these ranges, in any order.
  public static CodePoints of(List<int[]> ranges) {
    var sorted = new ArrayList<>(ranges);
    sorted.sort((a, b) -> Integer.compare(a[0], b[0]));
    var merged = new ArrayList<int[]>();
    for (int[] range : sorted) {
      if (!merged.isEmpty() && range[0] <= merged.getLast()[1] + 1) {
        merged.getLast()[1] = Math.max(merged.getLast()[1], range[1]);
      } else {
        merged.add(range.clone());
      }
    }
    return joined(merged).and(ALL);
  }

  /// Ranges in order that do not touch.
  private static CodePoints joined(List<int[]> ranges) {
    return new CodePoints(ranges.stream().flatMapToInt(Arrays::stream).toArray());
  }

  public boolean isEmpty() {
    return bounds.length == 0;
  }

  public boolean contains(int c) {
    int i = Arrays.binarySearch(bounds, c);
    return i >= 0 || (-i - 1) % 2 == 1;
  }

  public int count() {
    return bounds.length / 2;
  }

  public int first(int range) {
    return bounds[2 * range];
  }

  public int last(int range) {
    return bounds[2 * range + 1];
  }

  public CodePoints or(CodePoints other) {
    var all = new ArrayList<int[]>();
    for (var set : List.of(this, other)) {
      for (int i = 0; i < set.count(); i++) {
        all.add(new int[] {set.first(i), set.last(i)});
      }
    }
    return of(all);
  }

  public CodePoints and(CodePoints other) {
    var common = new ArrayList<int[]>();
    for (int i = 0, j = 0; i < count() && j < other.count(); ) {
      int first = Math.max(first(i), other.first(j));
      int last = Math.min(last(i), other.last(j));
      if (first <= last) {
        common.add(new int[] {first, last});
      }
      if (last(i) < other.last(j)) {
        i++;
      } else {
        j++;
      }
    }
    return joined(common);
  }

  public CodePoints not() {
    var rest = new ArrayList<int[]>();
    int next = 0;
    for (int i = 0; i < count(); i++) {
      if (first(i) > next) {
        rest.add(new int[] {next, first(i) - 1});
      }
      next = last(i) + 1;
    }
    if (next <= 0x10FFFF) {
      rest.add(new int[] {next, 0x10FFFF});
    }
    return joined(rest).and(ALL);
  }

  public CodePoints minus(CodePoints other) {
    return and(other.not());
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CodePoints set && Arrays.equals(bounds, set.bounds);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bounds);
  }
}
