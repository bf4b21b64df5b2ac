package io.gatun.ffm;

import io.gatun.ffm.openblas.Cblas;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// Calls into OpenBLAS. Matrices are row-major f32; a leading dimension is the distance between the
/// starts of neighbouring rows, in elements.
///
/// Each call runs on the calling thread alone, unless [#setThreads(int)] said otherwise, and
/// several threads may call at once. Segments are native, and stay alive until the call returns.
public final class OpenBlas {
  private static final NativeLibrary LIBRARY = NativeLibraries.openBlas();

  private OpenBlas() {}

  /// Whether OpenBLAS is loaded; otherwise every other call here is an error.
  ///
  /// @throws IllegalArgumentException if `-Dgatun.openblas` names something else
  public static boolean isAvailable() {
    return NativeLibraries.isUsable(LIBRARY);
  }

  /// Why OpenBLAS is not available; empty where it is.
  public static String problem() {
    return LIBRARY.problem();
  }

  /// Lets OpenBLAS split each call over `threads` threads of its own: for benchmarks that compare
  /// with our own pool. One thread is what everything else expects.
  public static void setThreads(int threads) {
    requireAvailable();
    Cblas.openblas_set_num_threads(threads);
  }

  /// C = alpha * op(A) op(B) + beta * C, where op(A) is (m, k), op(B) is (k, n) and C is (m, n).
  ///
  /// @param transA whether A is stored as (k, m)
  /// @param transB whether B is stored as (n, k), as the weights of a linear layer are
  /// @throws IllegalArgumentException if a segment is smaller than its matrix
  public static void sgemm(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      float alpha,
      MemorySegment a,
      int lda,
      MemorySegment b,
      int ldb,
      float beta,
      MemorySegment c,
      int ldc) {
    requireAvailable();
    if (m == 0 || n == 0) {
      return;
    }
    checkMatrix("A", a, transA ? k : m, transA ? m : k, lda);
    checkMatrix("B", b, transB ? n : k, transB ? k : n, ldb);
    checkMatrix("C", c, m, n, ldc);
    Cblas.cblas_sgemm(
        Cblas.CblasRowMajor(),
        trans(transA),
        trans(transB),
        m,
        n,
        k,
        alpha,
        a,
        lda,
        b,
        ldb,
        beta,
        c,
        ldc);
  }

  private static int trans(boolean transposed) {
    return transposed ? Cblas.CblasTrans() : Cblas.CblasNoTrans();
  }

  // OpenBLAS answers a wrong leading dimension with a message on standard error and no result.
  private static void checkMatrix(String name, MemorySegment segment, int rows, int cols, int ld) {
    Objects.requireNonNull(segment, name);
    if (rows < 0 || cols < 0 || ld < Math.max(cols, 1)) {
      throw new IllegalArgumentException(
          "%s is (%d, %d) with leading dimension %d; it must be at least %d"
              .formatted(name, rows, cols, ld, Math.max(cols, 1)));
    }
    long needed = rows == 0 ? 0 : ((rows - 1L) * ld + cols) * Float.BYTES;
    if (segment.byteSize() < needed) {
      throw new IllegalArgumentException(
          "%s is (%d, %d) f32 with leading dimension %d: %d bytes; its segment has %d"
              .formatted(name, rows, cols, ld, needed, segment.byteSize()));
    }
  }

  private static void requireAvailable() {
    if (!isAvailable()) {
      throw new IllegalStateException("OpenBLAS is not available: " + LIBRARY.problem());
    }
  }
}
