package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/// One head of a layer that remembers in a matrix S (K, V). In each row
///
///     S = decay S;  u = rate (value - S^T key);  S = S + key u^T;  out = S^T query
///
/// which is the gated delta rule (Yang et al. 2024), or the same with `u = rate value`, which is
/// Mamba 2's scan (Dao and Gu 2024). S lies in panels of [#PANEL] columns, (V / PANEL, K, PANEL), the
/// last of which may be narrower: one is in the first cache while all rows pass.
///
/// @param query where a row's query begins, in elements; so for key and value
/// @param stride elements from a row to the next
/// @param keySize K
/// @param valueSize V
/// @param corrects whether what S tells of the key is subtracted from the value
public record StateScan(
    int query, int key, int value, int stride, int keySize, int valueSize, boolean corrects) {
  private static final VectorSpecies<Float> F = Lanes.FLOATS;
  private static final int L = F.length();

  /// Columns of a panel.
  public static final int PANEL = 64;

  /// So many columns are held in registers.
  private static final int BLOCK = 4 * L;

  /// The same of another head, from the first one's.
  public StateScan head(int keyHead, int valueHead) {
    int k = keyHead * keySize;
    return new StateScan(
        query + k, key + k, value + valueHead * valueSize, stride, keySize, valueSize, corrects);
  }

  /// Runs through rows of x (rows, `stride`) from byte `xAt` on.
  ///
  /// @param gates (rows, 2) decay and rate of each row
  /// @param state S
  /// @param out of row t at byte `outAt + 4 t outStride`
  /// @param vectors whether the Vector API is used
  public void run(
      boolean vectors,
      MemorySegment x,
      long xAt,
      MemorySegment gates,
      long gatesAt,
      MemorySegment state,
      long stateAt,
      MemorySegment out,
      long outAt,
      int outStride,
      int rows) {
    long from = address(x, xAt, 4L * rows * stride);
    long g = address(gates, gatesAt, 8L * rows);
    long s = address(state, stateAt, 4L * keySize * valueSize);
    long to = address(out, outAt, 4L * (rows - 1) * outStride + 4L * valueSize);
    for (int first = 0; first < valueSize; first += PANEL) {
      int width = Math.min(PANEL, valueSize - first);
      long panel = s + 4L * first * keySize;
      int whole = vectors ? width / BLOCK * BLOCK : 0;
      for (int c = 0; c < whole; c += BLOCK) {
        block(this, from, g, panel + 4L * c, 4L * width, first + c, to, outStride, rows);
      }
      for (int c = whole; vectors && c < width; c += L) {
        var mask = F.indexInRange(c, width);
        columns(this, from, g, panel + 4L * c, 4L * width, first + c, to, outStride, rows, mask);
      }
      if (!vectors) {
        scalar(from, g, panel, width, first, to, outStride, rows);
      }
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(gates);
    Reference.reachabilityFence(state);
    Reference.reachabilityFence(out);
  }

  /// The reference.
  private void scalar(
      long x, long gates, long state, int width, int first, long out, int outStride, int rows) {
    for (int t = 0; t < rows; t++) {
      long row = x + 4L * t * stride;
      float decay = ALL.get(FLOAT, gates + 8L * t);
      float rate = ALL.get(FLOAT, gates + 8L * t + 4);
      for (int c = 0; c < width; c++) {
        double told = 0;
        for (int i = 0; corrects && i < keySize; i++) {
          told += (double) at(row, key + i) * at(state, i * width + c);
        }
        double u = rate * (at(row, value + first + c) - decay * told);
        double sum = 0;
        for (int i = 0; i < keySize; i++) {
          float s = (float) ((double) decay * at(state, i * width + c) + at(row, key + i) * u);
          ALL.set(FLOAT, state + 4L * (i * width + c), s);
          sum += (double) at(row, query + i) * s;
        }
        ALL.set(FLOAT, out + 4L * t * outStride + 4L * (first + c), (float) sum);
      }
    }
  }

  private static float at(long address, int i) {
    return ALL.get(FLOAT, address + 4L * i);
  }

  /// Four vectors of columns, from column `c` on.
  private static void block(
      StateScan scan,
      long x,
      long gates,
      long state,
      long step,
      int c,
      long out,
      int outStride,
      int rows) {
    int k = scan.keySize;
    long xStep = 4L * scan.stride;
    boolean corrects = scan.corrects;
    long keys = x + 4L * scan.key;
    long queries = x + 4L * scan.query;
    long values = x + 4L * (scan.value + c);
    long to = out + 4L * c;
    for (int t = 0; t < rows; t++) {
      float decay = ALL.get(FLOAT, gates + 8L * t);
      float rate = ALL.get(FLOAT, gates + 8L * t + 4);
      long row = t * xStep;
      var a0 = FloatVector.zero(F);
      var a1 = a0;
      var a2 = a0;
      var a3 = a0;
      var b0 = a0;
      var b1 = a0;
      var b2 = a0;
      var b3 = a0;
      // Twice four sums, so that none waits for its last addition.
      int even = corrects ? k & -2 : 0;
      for (int i = 0; i < even; i += 2) {
        long s = state + i * step;
        long n = s + step;
        float p = ALL.get(FLOAT, keys + row + 4L * i);
        float q = ALL.get(FLOAT, keys + row + 4L * i + 4);
        a0 =
            FloatVector.fromMemorySegment(F, ALL, s & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, p), a0);
        a1 =
            FloatVector.fromMemorySegment(F, ALL, s + 4L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, p), a1);
        a2 =
            FloatVector.fromMemorySegment(F, ALL, s + 8L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, p), a2);
        a3 =
            FloatVector.fromMemorySegment(F, ALL, s + 12L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, p), a3);
        b0 =
            FloatVector.fromMemorySegment(F, ALL, n & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, q), b0);
        b1 =
            FloatVector.fromMemorySegment(F, ALL, n + 4L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, q), b1);
        b2 =
            FloatVector.fromMemorySegment(F, ALL, n + 8L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, q), b2);
        b3 =
            FloatVector.fromMemorySegment(F, ALL, n + 12L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, q), b3);
      }
      for (int i = even; corrects && i < k; i++) {
        long s = state + i * step;
        float p = ALL.get(FLOAT, keys + row + 4L * i);
        a0 =
            FloatVector.fromMemorySegment(F, ALL, s & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, p), a0);
        a1 =
            FloatVector.fromMemorySegment(F, ALL, s + 4L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, p), a1);
        a2 =
            FloatVector.fromMemorySegment(F, ALL, s + 8L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, p), a2);
        a3 =
            FloatVector.fromMemorySegment(F, ALL, s + 12L * L & IN_BOUNDS, ORDER)
                .fma(FloatVector.broadcast(F, p), a3);
      }
      long v = values + row;
      var u0 =
          FloatVector.fromMemorySegment(F, ALL, v & IN_BOUNDS, ORDER)
              .sub(a0.add(b0).mul(decay))
              .mul(rate);
      var u1 =
          FloatVector.fromMemorySegment(F, ALL, v + 4L * L & IN_BOUNDS, ORDER)
              .sub(a1.add(b1).mul(decay))
              .mul(rate);
      var u2 =
          FloatVector.fromMemorySegment(F, ALL, v + 8L * L & IN_BOUNDS, ORDER)
              .sub(a2.add(b2).mul(decay))
              .mul(rate);
      var u3 =
          FloatVector.fromMemorySegment(F, ALL, v + 12L * L & IN_BOUNDS, ORDER)
              .sub(a3.add(b3).mul(decay))
              .mul(rate);
      var d = FloatVector.broadcast(F, decay);
      var o0 = FloatVector.zero(F);
      var o1 = o0;
      var o2 = o0;
      var o3 = o0;
      for (int i = 0; i < k; i++) {
        long s = state + i * step;
        var p = FloatVector.broadcast(F, ALL.get(FLOAT, keys + row + 4L * i));
        var q = FloatVector.broadcast(F, ALL.get(FLOAT, queries + row + 4L * i));
        var s0 = u0.fma(p, FloatVector.fromMemorySegment(F, ALL, s & IN_BOUNDS, ORDER).mul(d));
        var s1 =
            u1.fma(p, FloatVector.fromMemorySegment(F, ALL, s + 4L * L & IN_BOUNDS, ORDER).mul(d));
        var s2 =
            u2.fma(p, FloatVector.fromMemorySegment(F, ALL, s + 8L * L & IN_BOUNDS, ORDER).mul(d));
        var s3 =
            u3.fma(p, FloatVector.fromMemorySegment(F, ALL, s + 12L * L & IN_BOUNDS, ORDER).mul(d));
        s0.intoMemorySegment(ALL, s & IN_BOUNDS, ORDER);
        s1.intoMemorySegment(ALL, s + 4L * L & IN_BOUNDS, ORDER);
        s2.intoMemorySegment(ALL, s + 8L * L & IN_BOUNDS, ORDER);
        s3.intoMemorySegment(ALL, s + 12L * L & IN_BOUNDS, ORDER);
        o0 = s0.fma(q, o0);
        o1 = s1.fma(q, o1);
        o2 = s2.fma(q, o2);
        o3 = s3.fma(q, o3);
      }
      long y = to + 4L * t * outStride;
      o0.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
      o1.intoMemorySegment(ALL, y + 4L * L & IN_BOUNDS, ORDER);
      o2.intoMemorySegment(ALL, y + 8L * L & IN_BOUNDS, ORDER);
      o3.intoMemorySegment(ALL, y + 12L * L & IN_BOUNDS, ORDER);
    }
  }

  /// One vector of columns, from column `c` on, or less.
  private static void columns(
      StateScan scan,
      long x,
      long gates,
      long state,
      long step,
      int c,
      long out,
      int outStride,
      int rows,
      VectorMask<Float> mask) {
    int k = scan.keySize;
    long xStep = 4L * scan.stride;
    boolean corrects = scan.corrects;
    for (int t = 0; t < rows; t++) {
      float decay = ALL.get(FLOAT, gates + 8L * t);
      float rate = ALL.get(FLOAT, gates + 8L * t + 4);
      long keys = x + t * xStep + 4L * scan.key;
      long queries = x + t * xStep + 4L * scan.query;
      var told = FloatVector.zero(F);
      for (int i = 0; corrects && i < k; i++) {
        told = floats(state + i * step, mask).fma(broadcast(keys + 4L * i), told);
      }
      var v = floats(x + t * xStep + 4L * (scan.value + c), mask);
      var u = v.sub(told.mul(decay)).mul(rate);
      var o = FloatVector.zero(F);
      for (int i = 0; i < k; i++) {
        long s = state + i * step;
        var n = u.fma(broadcast(keys + 4L * i), floats(s, mask).mul(decay));
        n.intoMemorySegment(ALL, s & IN_BOUNDS, ORDER, mask);
        o = n.fma(broadcast(queries + 4L * i), o);
      }
      o.intoMemorySegment(ALL, out + 4L * t * outStride + 4L * c & IN_BOUNDS, ORDER, mask);
    }
  }

  private static FloatVector broadcast(long address) {
    return FloatVector.broadcast(F, ALL.get(FLOAT, address));
  }
}
