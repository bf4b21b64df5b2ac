package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The Cholesky decomposition, in place and by blocks: the products of panels, which are most of
/// the work, are those of linear layers.
final class Cholesky {
  private static final int BLOCK = 128;

  /// Rows that are updated at a time.
  private static final long STRIPE = 512;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private Cholesky() {}

  /// Replaces the lower triangle of A by that of C, `A = C C^T`. What lies above is left alone.
  ///
  /// @param a (n, n) F32, symmetric
  /// @param least what a pivot is raised to that rounding has made less
  static void decompose(Ops ops, MemorySegment a, int n, float least) {
    for (int from = 0; from < n; from += BLOCK) {
      int end = Math.min(n, from + BLOCK);
      double[][] block = diagonal(a, n, from, end, least);
      if (end == n) {
        return;
      }
      try (var arena = Arena.ofShared()) {
        int width = end - from;
        var panel = arena.allocate((long) (n - end) * width * Float.BYTES, 64);
        solve(ops, a, n, from, end, block, panel);
        var rows = Tensor.of(panel, DType.Plain.F32, Shape.of(n - end, width));
        for (long stripe = end; stripe < n; stripe += STRIPE) {
          update(ops, a, n, stripe, rows.slice(0, 0, Math.min(n, stripe + STRIPE) - end), end);
        }
      }
    }
  }

  /// Decomposes columns `from` .. `end`-1 of the diagonal.
  private static double[][] diagonal(MemorySegment a, long n, int from, int end, float least) {
    var c = new double[end - from][end - from];
    for (int i = 0; i < c.length; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = a.getAtIndex(FLOAT, (from + i) * n + from + j);
        for (int k = 0; k < j; k++) {
          sum -= c[i][k] * c[j][k];
        }
        c[i][j] = i == j ? Math.sqrt(Math.max(sum, least)) : sum / c[j][j];
        a.setAtIndex(FLOAT, (from + i) * n + from + j, (float) c[i][j]);
      }
    }
    return c;
  }

  /// The rows below that block.
  private static void solve(
      Ops ops, MemorySegment a, long n, int from, int end, double[][] block, MemorySegment panel) {
    int width = end - from;
    ops.workers()
        .forEach(
            n - end,
            8,
            (worker, lo, hi) -> {
              var row = new double[width];
              for (long r = lo; r < hi; r++) {
                long at = (end + r) * n + from;
                for (int j = 0; j < width; j++) {
                  double sum = a.getAtIndex(FLOAT, at + j);
                  double[] c = block[j];
                  for (int k = 0; k < j; k++) {
                    sum -= row[k] * c[k];
                  }
                  row[j] = sum / c[j];
                  a.setAtIndex(FLOAT, at + j, (float) row[j]);
                  panel.setAtIndex(FLOAT, r * width + j, (float) row[j]);
                }
              }
            });
  }

  /// Takes the products of the panel's rows from rows `stripe` .. of what is left.
  ///
  /// @param rows the panel down to the stripe's last row
  private static void update(Ops ops, MemorySegment a, long n, long stripe, Tensor rows, int end) {
    long below = stripe - end;
    long width = rows.dim(0);
    try (var _ = ops.scope()) {
      var products = ops.linear(rows.slice(0, below, width), rows);
      ops.workers()
          .forEach(
              width - below,
              8,
              (worker, lo, hi) -> {
                for (long r = lo; r < hi; r++) {
                  long at = (stripe + r) * n + end;
                  for (long j = 0; j <= below + r; j++) {
                    float v = products.segment().getAtIndex(FLOAT, r * width + j);
                    a.setAtIndex(FLOAT, at + j, a.getAtIndex(FLOAT, at + j) - v);
                  }
                }
              });
    }
  }
}
