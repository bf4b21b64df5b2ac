package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The sum of `x x^T` over the inputs x (K) that a linear layer was given: half the Hessian of the
/// squared error of its results, for each row of its weights.
public final class Hessian implements AutoCloseable {
  /// Rows of products that are made at a time.
  private static final long STRIPE = 1024;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment sums;
  private final MemorySegment magnitudes;
  private final int columns;
  private long rows;

  /// @param columns K
  public Hessian(int columns) {
    this.columns = columns;
    sums = arena.allocate(bytes(columns), 64);
    magnitudes = arena.allocate(FLOAT, columns);
  }

  /// The bytes that one of K columns takes.
  public static long bytes(long columns) {
    return columns * columns * Float.BYTES;
  }

  /// K.
  public int columns() {
    return columns;
  }

  /// Inputs that were added.
  public long rows() {
    return rows;
  }

  /// (K, K) F32, of which the lower triangle counts.
  MemorySegment sums() {
    return sums;
  }

  /// The mean magnitude of input k.
  float magnitude(int k) {
    return magnitudes.getAtIndex(FLOAT, k) / Math.max(1, rows);
  }

  /// Adds inputs.
  ///
  /// @param x (T, K) F32 without gaps
  public void add(Ops ops, Tensor x) {
    int t = Math.toIntExact(x.dim(0));
    rows += t;
    try (var temporary = Arena.ofShared()) {
      var turned = temporary.allocate((long) columns * t * Float.BYTES, 64);
      ops.workers()
          .forEach(
              columns,
              16,
              (worker, from, to) -> {
                for (long k = from; k < to; k++) {
                  float magnitude = magnitudes.getAtIndex(FLOAT, k);
                  for (long i = 0; i < t; i++) {
                    float v = x.segment().getAtIndex(FLOAT, i * columns + k);
                    turned.setAtIndex(FLOAT, k * t + i, v);
                    magnitude += Math.abs(v);
                  }
                  magnitudes.setAtIndex(FLOAT, k, magnitude);
                }
              });
      var xt = Tensor.of(turned, DType.Plain.F32, Shape.of(columns, t));
      for (long from = 0; from < columns; from += STRIPE) {
        long first = from;
        long end = Math.min(columns, from + STRIPE);
        try (var _ = ops.scope()) {
          var products = ops.linear(xt.slice(0, first, end), xt.slice(0, 0, end)); // (rows, end)
          ops.workers()
              .forEach(
                  end - first,
                  16,
                  (worker, lo, hi) -> {
                    for (long r = lo; r < hi; r++) {
                      for (long c = 0; c <= first + r; c++) {
                        long at = (first + r) * columns + c;
                        float v = products.segment().getAtIndex(FLOAT, r * end + c);
                        sums.setAtIndex(FLOAT, at, sums.getAtIndex(FLOAT, at) + v);
                      }
                    }
                  });
        }
      }
    }
  }

  /// Element (i, j).
  float get(long i, long j) {
    return sums.getAtIndex(FLOAT, Math.max(i, j) * columns + Math.min(i, j));
  }

  @Override
  public void close() {
    arena.close();
  }
}
