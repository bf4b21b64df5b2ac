package io.gatun.tests.ffm;

import static io.gatun.ffm.ElementType.F32;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.OpenBlas;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class OpenBlasTest {
  private static final int[] SIZES = {1, 3, 31, 32, 65};

  @BeforeAll
  static void needsOpenBlas() {
    assertTrue(OpenBlas.isAvailable(), OpenBlas::problem);
  }

  /// For [NativeProbe].
  static void smallestProduct() {
    checkSgemm(false, false, 1, 1, 1, 0, 0f);
  }

  @Test
  void sgemmEqualsThePlainLoop() {
    for (int m : SIZES) {
      for (int n : SIZES) {
        for (int k : SIZES) {
          checkSgemm(false, false, m, n, k, 0, 0f);
          checkSgemm(true, false, m, n, k, 0, 0f);
          checkSgemm(false, true, m, n, k, 5, 1f);
          checkSgemm(true, true, m, n, k, 7, -0.5f);
        }
      }
    }
  }

  private static void checkSgemm(boolean ta, boolean tb, int m, int n, int k, int gap, float beta) {
    int lda = (ta ? m : k) + gap;
    int ldb = (tb ? k : n) + gap;
    int ldc = n + gap;
    try (var arena = Arena.ofConfined()) {
      MemorySegment a = Matrices.random(arena, F32, (long) (ta ? k : m) * lda, 1);
      MemorySegment b = Matrices.random(arena, F32, (long) (tb ? n : k) * ldb, 2);
      MemorySegment c = Matrices.random(arena, F32, (long) m * ldc, 3);
      MemorySegment before = arena.allocate(c.byteSize(), 64).copyFrom(c);
      OpenBlas.sgemm(ta, tb, m, n, k, 2f, a, lda, b, ldb, beta, c, ldc);
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < ldc; j++) {
          double old = Matrices.get(before, F32, (long) i * ldc + j);
          double expected = old;
          if (j < n) {
            double dot =
                Matrices.dot(
                    a,
                    F32,
                    ta ? i : (long) i * lda,
                    ta ? lda : 1,
                    b,
                    F32,
                    tb ? (long) j * ldb : j,
                    tb ? 1 : ldb,
                    k);
            expected = 2 * dot + beta * old;
          }
          Matrices.assertClose(
              expected, Matrices.get(c, F32, (long) i * ldc + j), 1e-6 * (k + 1), "C");
        }
      }
    }
  }

  @Test
  void refusesSegmentsThatAreTooSmall() {
    try (var arena = Arena.ofConfined()) {
      MemorySegment small = arena.allocate(15 * 4);
      MemorySegment enough = arena.allocate(16 * 4);
      var e =
          assertThrows(
              IllegalArgumentException.class,
              () -> OpenBlas.sgemm(false, false, 4, 4, 4, 1f, enough, 4, small, 4, 0f, enough, 4));
      assertEquals(
          "B is (4, 4) f32 with leading dimension 4: 64 bytes; its segment has 60", e.getMessage());
      assertThrows(
          IllegalArgumentException.class,
          () -> OpenBlas.sgemm(false, false, 4, 4, 4, 1f, enough, 3, enough, 4, 0f, enough, 4));
    }
  }
}
