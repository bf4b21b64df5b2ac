package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.BYTES;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.F16_BIAS;
import static io.gatun.tensor.kernel.dense.Lanes.F16_PLACE;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.SHORTS;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.scalar.PlainTypes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/// Products of a few F32 rows with a matrix that is read as it is stored, once for four rows: what
/// [io.gatun.tensor.kernel.ggml.Unpack] and a product would give, without the way through memory.
///
/// Each sum is one chain over k, so results do not depend on how rows are grouped.
///
/// The kernels differ only in how they read b. They hold two vectors of columns: for four, CPUs
/// without AVX-512 have too few registers. That they name the Vector API's calls, and not those of
/// [Lanes], is needed: see there.
public final class StoredProduct {
  /// Rows that are handled together.
  public static final int ROWS = 4;

  private static final long STEP = 4L * COUNT;

  /// What sums begin with that are not added to others: there, addresses stay where they are.
  private static final MemorySegment ZEROS = Arena.global().allocate(2 * STEP, STEP);

  private StoredProduct() {}

  /// Whether there is a kernel for matrices of so many columns of the type.
  public static boolean supports(DType.Plain type, int columns) {
    boolean known = type == DType.Plain.F16 || type == DType.Plain.BF16 || type == DType.Plain.I8;
    return known && COUNT >= 8 && columns % (2 * COUNT) == 0;
  }

  /// So many columns and as many more as a kernel takes with them.
  public static int columns(int n) {
    return (n + 2 * COUNT - 1) & -2 * COUNT;
  }

  /// `c = a b`, or `c += a b` if `add`: a (m, k) F32, b (k, n), c (m, n) F32, rows `lda`, `ldb` and
  /// `ldc` elements apart.
  ///
  /// F16 are taken to be finite.
  ///
  /// @param m a multiple of [#ROWS]
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap or the type is not supported
  public static void multiply(
      DType.Plain type,
      MemorySegment a,
      long aAt,
      int lda,
      MemorySegment b,
      long bAt,
      int ldb,
      MemorySegment c,
      long cAt,
      int ldc,
      int m,
      int n,
      int k,
      boolean add) {
    if (!supports(type, n) || m % ROWS != 0) {
      throw new IllegalArgumentException(
          "no product of %d rows with %d columns of %s".formatted(m, n, type));
    }
    if (m == 0 || k == 0) {
      return;
    }
    long from = address(a, aAt, 4L * ((m - 1L) * lda + k));
    long with = address(b, bAt, type.blockBytes() * ((k - 1L) * ldb + n));
    long to = address(c, cAt, 4L * ((m - 1L) * ldc + n));
    if (PlainTypes.isHalf(type) && FirstCalls.isServed()) {
      FirstProducts.multiply(type, a, aAt, lda, b, bAt, ldb, c, cAt, ldc, m, n, k, add);
      return;
    }
    long kept = add ? 1 : 0;
    for (int i = 0; i < m; i += ROWS) {
      long rows = from + 4L * i * lda;
      long out = to + 4L * i * ldc;
      long sums = add ? out : ZEROS.address();
      switch (type) {
        case F16 -> f16(rows, 4L * lda, with, 2L * ldb, out, 4L * ldc, sums, kept, n, k);
        case BF16 -> bf16(rows, 4L * lda, with, 2L * ldb, out, 4L * ldc, sums, kept, n, k);
        default -> int8(rows, 4L * lda, with, ldb, out, 4L * ldc, sums, kept, n, k);
      }
    }
    Reference.reachabilityFence(a);
    Reference.reachabilityFence(b);
    Reference.reachabilityFence(c);
  }

  /// F16 as [Lanes#finiteF16] reads them.
  private static void f16(
      long a, long lda, long b, long ldb, long c, long ldc, long sums, long kept, int n, int k) {
    for (int j = 0; j < n; j += 2 * COUNT) {
      long to = c + 4L * j;
      long to1 = to + ldc;
      long to2 = to1 + ldc;
      long to3 = to2 + ldc;
      long from = sums + kept * 4 * j;
      long from1 = from + kept * ldc;
      long from2 = from1 + kept * ldc;
      long from3 = from2 + kept * ldc;
      var s00 = FloatVector.fromMemorySegment(FLOATS, ALL, from & IN_BOUNDS, ORDER);
      var s01 = FloatVector.fromMemorySegment(FLOATS, ALL, (from + STEP) & IN_BOUNDS, ORDER);
      var s10 = FloatVector.fromMemorySegment(FLOATS, ALL, from1 & IN_BOUNDS, ORDER);
      var s11 = FloatVector.fromMemorySegment(FLOATS, ALL, (from1 + STEP) & IN_BOUNDS, ORDER);
      var s20 = FloatVector.fromMemorySegment(FLOATS, ALL, from2 & IN_BOUNDS, ORDER);
      var s21 = FloatVector.fromMemorySegment(FLOATS, ALL, (from2 + STEP) & IN_BOUNDS, ORDER);
      var s30 = FloatVector.fromMemorySegment(FLOATS, ALL, from3 & IN_BOUNDS, ORDER);
      var s31 = FloatVector.fromMemorySegment(FLOATS, ALL, (from3 + STEP) & IN_BOUNDS, ORDER);
      for (int p = 0; p < k; p++) {
        long row = b + p * ldb + 2L * j;
        long left = a + 4L * p;
        var x0 =
            ShortVector.fromMemorySegment(SHORTS, ALL, row & IN_BOUNDS, ORDER)
                .convertShape(VectorOperators.S2I, INTS, 0)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 13)
                .and(F16_PLACE)
                .reinterpretAsFloats()
                .mul(F16_BIAS);
        var x1 =
            ShortVector.fromMemorySegment(SHORTS, ALL, (row + 2L * COUNT) & IN_BOUNDS, ORDER)
                .convertShape(VectorOperators.S2I, INTS, 0)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 13)
                .and(F16_PLACE)
                .reinterpretAsFloats()
                .mul(F16_BIAS);
        var a0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, left & IN_BOUNDS));
        s00 = a0.fma(x0, s00);
        s01 = a0.fma(x1, s01);
        var a1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + lda) & IN_BOUNDS));
        s10 = a1.fma(x0, s10);
        s11 = a1.fma(x1, s11);
        var a2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + 2 * lda) & IN_BOUNDS));
        s20 = a2.fma(x0, s20);
        s21 = a2.fma(x1, s21);
        var a3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + 3 * lda) & IN_BOUNDS));
        s30 = a3.fma(x0, s30);
        s31 = a3.fma(x1, s31);
      }
      s00.intoMemorySegment(ALL, to & IN_BOUNDS, ORDER);
      s01.intoMemorySegment(ALL, (to + STEP) & IN_BOUNDS, ORDER);
      s10.intoMemorySegment(ALL, to1 & IN_BOUNDS, ORDER);
      s11.intoMemorySegment(ALL, (to1 + STEP) & IN_BOUNDS, ORDER);
      s20.intoMemorySegment(ALL, to2 & IN_BOUNDS, ORDER);
      s21.intoMemorySegment(ALL, (to2 + STEP) & IN_BOUNDS, ORDER);
      s30.intoMemorySegment(ALL, to3 & IN_BOUNDS, ORDER);
      s31.intoMemorySegment(ALL, (to3 + STEP) & IN_BOUNDS, ORDER);
    }
  }

  private static void bf16(
      long a, long lda, long b, long ldb, long c, long ldc, long sums, long kept, int n, int k) {
    for (int j = 0; j < n; j += 2 * COUNT) {
      long to = c + 4L * j;
      long to1 = to + ldc;
      long to2 = to1 + ldc;
      long to3 = to2 + ldc;
      long from = sums + kept * 4 * j;
      long from1 = from + kept * ldc;
      long from2 = from1 + kept * ldc;
      long from3 = from2 + kept * ldc;
      var s00 = FloatVector.fromMemorySegment(FLOATS, ALL, from & IN_BOUNDS, ORDER);
      var s01 = FloatVector.fromMemorySegment(FLOATS, ALL, (from + STEP) & IN_BOUNDS, ORDER);
      var s10 = FloatVector.fromMemorySegment(FLOATS, ALL, from1 & IN_BOUNDS, ORDER);
      var s11 = FloatVector.fromMemorySegment(FLOATS, ALL, (from1 + STEP) & IN_BOUNDS, ORDER);
      var s20 = FloatVector.fromMemorySegment(FLOATS, ALL, from2 & IN_BOUNDS, ORDER);
      var s21 = FloatVector.fromMemorySegment(FLOATS, ALL, (from2 + STEP) & IN_BOUNDS, ORDER);
      var s30 = FloatVector.fromMemorySegment(FLOATS, ALL, from3 & IN_BOUNDS, ORDER);
      var s31 = FloatVector.fromMemorySegment(FLOATS, ALL, (from3 + STEP) & IN_BOUNDS, ORDER);
      for (int p = 0; p < k; p++) {
        long row = b + p * ldb + 2L * j;
        long left = a + 4L * p;
        var x0 =
            ShortVector.fromMemorySegment(SHORTS, ALL, row & IN_BOUNDS, ORDER)
                .convertShape(VectorOperators.S2I, INTS, 0)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
        var x1 =
            ShortVector.fromMemorySegment(SHORTS, ALL, (row + 2L * COUNT) & IN_BOUNDS, ORDER)
                .convertShape(VectorOperators.S2I, INTS, 0)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
        var a0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, left & IN_BOUNDS));
        s00 = a0.fma(x0, s00);
        s01 = a0.fma(x1, s01);
        var a1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + lda) & IN_BOUNDS));
        s10 = a1.fma(x0, s10);
        s11 = a1.fma(x1, s11);
        var a2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + 2 * lda) & IN_BOUNDS));
        s20 = a2.fma(x0, s20);
        s21 = a2.fma(x1, s21);
        var a3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + 3 * lda) & IN_BOUNDS));
        s30 = a3.fma(x0, s30);
        s31 = a3.fma(x1, s31);
      }
      s00.intoMemorySegment(ALL, to & IN_BOUNDS, ORDER);
      s01.intoMemorySegment(ALL, (to + STEP) & IN_BOUNDS, ORDER);
      s10.intoMemorySegment(ALL, to1 & IN_BOUNDS, ORDER);
      s11.intoMemorySegment(ALL, (to1 + STEP) & IN_BOUNDS, ORDER);
      s20.intoMemorySegment(ALL, to2 & IN_BOUNDS, ORDER);
      s21.intoMemorySegment(ALL, (to2 + STEP) & IN_BOUNDS, ORDER);
      s30.intoMemorySegment(ALL, to3 & IN_BOUNDS, ORDER);
      s31.intoMemorySegment(ALL, (to3 + STEP) & IN_BOUNDS, ORDER);
    }
  }

  /// Integers, whose scales are none of its business.
  private static void int8(
      long a, long lda, long b, long ldb, long c, long ldc, long sums, long kept, int n, int k) {
    for (int j = 0; j < n; j += 2 * COUNT) {
      long to = c + 4L * j;
      long to1 = to + ldc;
      long to2 = to1 + ldc;
      long to3 = to2 + ldc;
      long from = sums + kept * 4 * j;
      long from1 = from + kept * ldc;
      long from2 = from1 + kept * ldc;
      long from3 = from2 + kept * ldc;
      var s00 = FloatVector.fromMemorySegment(FLOATS, ALL, from & IN_BOUNDS, ORDER);
      var s01 = FloatVector.fromMemorySegment(FLOATS, ALL, (from + STEP) & IN_BOUNDS, ORDER);
      var s10 = FloatVector.fromMemorySegment(FLOATS, ALL, from1 & IN_BOUNDS, ORDER);
      var s11 = FloatVector.fromMemorySegment(FLOATS, ALL, (from1 + STEP) & IN_BOUNDS, ORDER);
      var s20 = FloatVector.fromMemorySegment(FLOATS, ALL, from2 & IN_BOUNDS, ORDER);
      var s21 = FloatVector.fromMemorySegment(FLOATS, ALL, (from2 + STEP) & IN_BOUNDS, ORDER);
      var s30 = FloatVector.fromMemorySegment(FLOATS, ALL, from3 & IN_BOUNDS, ORDER);
      var s31 = FloatVector.fromMemorySegment(FLOATS, ALL, (from3 + STEP) & IN_BOUNDS, ORDER);
      for (int p = 0; p < k; p++) {
        long row = b + p * ldb + j;
        long left = a + 4L * p;
        var x0 =
            (FloatVector)
                ByteVector.fromMemorySegment(BYTES, ALL, row & IN_BOUNDS, ORDER)
                    .convertShape(VectorOperators.B2I, INTS, 0)
                    .convertShape(VectorOperators.I2F, FLOATS, 0);
        var x1 =
            (FloatVector)
                ByteVector.fromMemorySegment(BYTES, ALL, (row + COUNT) & IN_BOUNDS, ORDER)
                    .convertShape(VectorOperators.B2I, INTS, 0)
                    .convertShape(VectorOperators.I2F, FLOATS, 0);
        var a0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, left & IN_BOUNDS));
        s00 = a0.fma(x0, s00);
        s01 = a0.fma(x1, s01);
        var a1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + lda) & IN_BOUNDS));
        s10 = a1.fma(x0, s10);
        s11 = a1.fma(x1, s11);
        var a2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + 2 * lda) & IN_BOUNDS));
        s20 = a2.fma(x0, s20);
        s21 = a2.fma(x1, s21);
        var a3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, (left + 3 * lda) & IN_BOUNDS));
        s30 = a3.fma(x0, s30);
        s31 = a3.fma(x1, s31);
      }
      s00.intoMemorySegment(ALL, to & IN_BOUNDS, ORDER);
      s01.intoMemorySegment(ALL, (to + STEP) & IN_BOUNDS, ORDER);
      s10.intoMemorySegment(ALL, to1 & IN_BOUNDS, ORDER);
      s11.intoMemorySegment(ALL, (to1 + STEP) & IN_BOUNDS, ORDER);
      s20.intoMemorySegment(ALL, to2 & IN_BOUNDS, ORDER);
      s21.intoMemorySegment(ALL, (to2 + STEP) & IN_BOUNDS, ORDER);
      s30.intoMemorySegment(ALL, to3 & IN_BOUNDS, ORDER);
      s31.intoMemorySegment(ALL, (to3 + STEP) & IN_BOUNDS, ORDER);
    }
  }
}
