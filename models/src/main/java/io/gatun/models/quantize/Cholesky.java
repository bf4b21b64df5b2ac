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

  /// Replaces the lower triangle of A by that of C, `A = C C^T`. What lies above is of no meaning.
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
        solve(ops, a, end, n - end, n, from, block, panel);
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

  /// Solves `x C^T = y` for each row y of a matrix, in place.
  ///
  /// @param factor C (n, n), of which the lower triangle counts
  /// @param y (T, n) F32 without gaps, which becomes x
  static void solve(Ops ops, MemorySegment factor, int n, Tensor y) {
    long count = y.dim(0);
    for (int from = 0; from < n; from += BLOCK) {
      int end = Math.min(n, from + BLOCK);
      int width = end - from;
      var block = new double[width][width];
      for (int i = 0; i < width; i++) {
        for (int j = 0; j <= i; j++) {
          block[i][j] = factor.getAtIndex(FLOAT, (long) (from + i) * n + from + j);
        }
      }
      try (var _ = ops.scope()) {
        var panel = ops.empty(count, width);
        solve(ops, y.segment(), 0, count, n, from, block, panel.segment());
        if (end < n) {
          var below = ops.empty(n - end, width);
          for (long i = end; i < n; i++) {
            long at = Float.BYTES * (i * n + from);
            long to = Float.BYTES * (i - end) * width;
            MemorySegment.copy(factor, at, below.segment(), to, (long) Float.BYTES * width);
          }
          subtract(ops, ops.linear(panel, below), y.segment(), 0, n, end);
        }
      }
    }
  }

  /// Solves for the columns of one block.
  ///
  /// @param first the first of the rows in `a`, which are `n` wide
  /// @param panel what they become, without gaps
  private static void solve(
      Ops ops,
      MemorySegment a,
      long first,
      long count,
      long n,
      int from,
      double[][] block,
      MemorySegment panel) {
    int width = block.length;
    ops.workers()
        .forEach(
            count,
            8,
            (worker, lo, hi) -> {
              var row = new double[width];
              for (long r = lo; r < hi; r++) {
                long at = (first + r) * n + from;
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
    try (var _ = ops.scope()) {
      var products = ops.linear(rows.slice(0, stripe - end, rows.dim(0)), rows);
      subtract(ops, products, a, stripe, n, end);
    }
  }

  /// Takes `products` from rows `first` .. and columns `from` .. of `a`, whose rows are `n` wide.
  private static void subtract(
      Ops ops, Tensor products, MemorySegment a, long first, long n, long from) {
    long width = products.dim(1);
    ops.workers()
        .forEach(
            products.dim(0),
            8,
            (worker, lo, hi) -> {
              for (long r = lo; r < hi; r++) {
                long at = (first + r) * n + from;
                for (long j = 0; j < width; j++) {
                  float v = products.segment().getAtIndex(FLOAT, r * width + j);
                  a.setAtIndex(FLOAT, at + j, a.getAtIndex(FLOAT, at + j) - v);
                }
              }
            });
  }
}
