package io.gatun.tensor.kernel.scaled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.store;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;

/// What offsets of a matrix's groups add to its products.
public final class GroupOffsets {
  private GroupOffsets() {}

  /// `y[n] += sum over g of offsets[g][n] * sums[g]`, for the columns n from `from` to `to`-1.
  ///
  /// @param offsets rows of F32, `stride` elements apart
  /// @param sums `groups` F32 from byte `sumsAt`
  /// @param y F32 from byte `yAt`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void add(
      MemorySegment offsets,
      long stride,
      MemorySegment sums,
      long sumsAt,
      int groups,
      long from,
      long to,
      MemorySegment y,
      long yAt) {
    if (groups == 0 || from == to) {
      return;
    }
    long first = address(offsets, 4 * from, 4 * ((groups - 1) * stride + to - from));
    long s = address(sums, sumsAt, 4L * groups);
    long out = address(y, yAt + 4 * from, 4 * (to - from));
    int count = Math.toIntExact(to - from);
    int whole = count / (2 * COUNT) * (2 * COUNT);
    add(first, 4 * stride, s, groups, out, whole);
    for (int n = whole; n < count; n++) {
      float sum = ALL.get(FLOAT, out + 4L * n);
      for (int g = 0; g < groups; g++) {
        float offset = ALL.get(FLOAT, first + 4 * (g * stride + n));
        sum = Math.fma(offset, ALL.get(FLOAT, s + 4L * g), sum);
      }
      ALL.set(FLOAT, out + 4L * n, sum);
    }
    Reference.reachabilityFence(offsets);
    Reference.reachabilityFence(sums);
    Reference.reachabilityFence(y);
  }

  private static void add(long offsets, long stride, long s, int groups, long y, int count) {
    for (int n = 0; n < count; n += 2 * COUNT) {
      long at = offsets + 4L * n;
      FloatVector even = floats(y + 4L * n);
      FloatVector odd = floats(y + 4L * (n + COUNT));
      for (int g = 0; g < groups; g++, at += stride) {
        FloatVector sum = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, s + 4L * g & IN_BOUNDS));
        even = floats(at).fma(sum, even);
        odd = floats(at + 4L * COUNT).fma(sum, odd);
      }
      store(even, y + 4L * n);
      store(odd, y + 4L * (n + COUNT));
    }
  }
}
