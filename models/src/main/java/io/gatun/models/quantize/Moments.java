package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The sum of `a b^T` over pairs of vectors a (M) and b (K) that belong to one token each.
///
/// With inputs of a linear layer as both it is half the Hessian of the squared error of its
/// results, the same for each row of its weights.
final class Moments implements AutoCloseable {
  /// Rows of products that are made at a time.
  private static final long STRIPE = 1024;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment sums;
  private final long rows;
  private final long columns;

  /// @param rows M
  /// @param columns K
  Moments(long rows, long columns) {
    this.rows = rows;
    this.columns = columns;
    sums = arena.allocate(bytes(rows, columns), 64);
  }

  /// The bytes that one takes.
  static long bytes(long rows, long columns) {
    return rows * columns * Float.BYTES;
  }

  /// (M, K) F32.
  Tensor sums() {
    return Tensor.of(sums, DType.Plain.F32, Shape.of(rows, columns));
  }

  /// Element (i, j).
  float get(long i, long j) {
    return sums.getAtIndex(FLOAT, i * columns + j);
  }

  /// Adds pairs.
  ///
  /// @param a (T, M) F32 without gaps
  /// @param b (T, K) likewise
  void add(Ops ops, Tensor a, Tensor b) {
    try (var temporary = Arena.ofShared()) {
      var at = turned(ops, a, temporary);
      var bt = a == b ? at : turned(ops, b, temporary);
      for (long from = 0; from < rows; from += STRIPE) {
        long first = from;
        long end = Math.min(rows, from + STRIPE);
        try (var _ = ops.scope()) {
          var products = ops.linear(at.slice(0, first, end), bt); // (rows of the stripe, K)
          ops.workers()
              .forEach(
                  (end - first) * columns,
                  1 << 14,
                  (worker, lo, hi) -> {
                    for (long i = lo; i < hi; i++) {
                      long k = first * columns + i;
                      float more = products.segment().getAtIndex(FLOAT, i);
                      sums.setAtIndex(FLOAT, k, sums.getAtIndex(FLOAT, k) + more);
                    }
                  });
        }
      }
    }
  }

  /// Rows as columns.
  private static Tensor turned(Ops ops, Tensor x, Arena arena) {
    long t = x.dim(0);
    long columns = x.dim(1);
    var turned = Tensor.allocate(arena, DType.Plain.F32, columns, t);
    ops.workers()
        .forEach(
            columns,
            16,
            (worker, from, to) -> {
              for (long k = from; k < to; k++) {
                for (long i = 0; i < t; i++) {
                  float v = x.segment().getAtIndex(FLOAT, i * columns + k);
                  turned.segment().setAtIndex(FLOAT, k * t + i, v);
                }
              }
            });
    return turned;
  }

  @Override
  public void close() {
    arena.close();
  }
}
