package io.gatun.tensor.ops.context;

import io.gatun.ffm.OpenBlas;
import java.lang.foreign.MemorySegment;

/// Small products of F32 matrices on the calling thread.
public final class Gemm {
  /// From so many rows on OpenBLAS beats the small vector kernel.
  private static final int NATIVE_ROWS = 16;

  private Gemm() {}

  /// [io.gatun.tensor.kernel.Kernels#gemm], by the backend's fastest means.
  public static void multiply(
      Context ctx,
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
      boolean accumulate) {
    if (m >= NATIVE_ROWS && ctx.hasBlas()) {
      OpenBlas.sgemm(
          false,
          false,
          m,
          n,
          k,
          1,
          a.asSlice(aAt),
          lda,
          b.asSlice(bAt),
          ldb,
          accumulate ? 1 : 0,
          c.asSlice(cAt),
          ldc);
    } else {
      ctx.kernels().gemm(a, aAt, lda, b, bAt, ldb, c, cAt, ldc, m, n, k, accumulate);
    }
  }
}
