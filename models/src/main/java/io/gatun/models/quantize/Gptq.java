package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/// GPTQ (Frantar et al. 2022): rounds the columns of a layer's weights one after the other, each so
/// that it makes up for the errors of those before it, as calibration inputs weigh them; and for
/// what the inputs themselves have lost by then (Li et al. 2025, "GPTAQ").
///
/// With inputs x, of which y is asked in addition to W x, integers of d = W - Q are sought that
/// make `sum ||d x + y||^2` least. With H = sum x x^T = C C^T and M = sum y x^T that is `||d C + M
/// C^-T||^2` and what no integers can change.
///
/// Columns with great inputs come first ("activation order"), group by group and within each group,
/// so that groups stay where they are and no order need be stored. A group's scale is tried out on
/// that very error ([GroupRounding]).
final class Gptq {
  /// Added to the Hessian's diagonal, of whose mean it is a part.
  private static final float DAMPING = 0.05f;

  /// Weights that are rounded at a time.
  private static final long SLAB = 4 << 20;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final Ops ops;
  private final DType.Tiled type;
  private final int columns;
  private final int group;

  /// The column that stands at each place; the last one is rounded first.
  private final int[] order;

  /// (K, K): C of columns in that order.
  private final MemorySegment factor;

  /// Prepares for layers with these inputs.
  ///
  /// @param hessian (K, K)
  /// @param arena for as long as it is used
  Gptq(Ops ops, Moments hessian, DType.Tiled type, Arena arena) {
    this.ops = ops;
    this.type = type;
    columns = Math.toIntExact(hessian.sums().dim(1));
    group = type.groupSize();
    order = order(hessian);
    factor = arena.allocate(Moments.bytes(columns, columns), 64);
    double sum = 0;
    for (int k = 0; k < columns; k++) {
      sum += hessian.get(k, k);
    }
    float damping = (float) Math.max(DAMPING * sum / columns, Float.MIN_NORMAL);
    ops.workers()
        .forEach(
            columns,
            16,
            (worker, from, to) -> {
              for (long i = from; i < to; i++) {
                for (int j = 0; j <= i; j++) {
                  float v = hessian.get(order[(int) i], order[j]) + (i == j ? damping : 0);
                  factor.setAtIndex(FLOAT, i * columns + j, v);
                }
              }
            });
    Cholesky.decompose(ops, factor, columns, damping);
  }

  /// Groups by their greatest input, and columns of each by theirs: the greatest last.
  private int[] order(Moments hessian) {
    Comparator<Integer> byInput = Comparator.comparingDouble(k -> hessian.get(k, k));
    var groups = new Integer[columns / group][];
    for (int g = 0; g < groups.length; g++) {
      groups[g] = IntStream.range(g * group, (g + 1) * group).boxed().toArray(Integer[]::new);
      Arrays.sort(groups[g], byInput);
    }
    Arrays.sort(groups, Comparator.comparing(g -> g[group - 1], byInput));
    return Arrays.stream(groups).flatMap(Arrays::stream).mapToInt(Integer::intValue).toArray();
  }

  /// Rounds the columns that these inputs belong to.
  ///
  /// @param w (N, all columns) without gaps
  /// @param first the first of the columns
  /// @param wanted gives M of some of the rows and these columns
  void round(Tensor w, int first, Wanted wanted, RoundedMatrix out) {
    long slab = Math.max(1, SLAB / w.dim(1));
    for (long row = 0; row < w.dim(0); row += slab) {
      long rows = Math.min(slab, w.dim(0) - row);
      try (var arena = Arena.ofShared()) {
        var weights = part(w, row, row + rows, first, arena); // (rows, columns)
        var lost = Tensor.allocate(arena, DType.Plain.F32, rows, columns);
        try (var _ = ops.scope()) {
          var asked = wanted.of(weights, row);
          if (asked != null) {
            copyInOrder(asked, lost);
            Cholesky.solve(ops, factor, columns, lost);
          }
        }
        var errors = Tensor.allocate(arena, DType.Plain.F32, rows, columns);
        for (int place = columns - group; place >= 0; place -= group) {
          try (var _ = ops.scope()) {
            var before = before(errors, place + group); // (rows, group)
            group(weights, first, place, before, lost, errors, row, out);
          }
        }
      }
    }
  }

  /// What is asked of weights beside their own results.
  @FunctionalInterface
  interface Wanted {
    /// M (rows, K) of `weights` (rows, K), which begin at row `row` of the matrix; null for
    /// nothing.
    Tensor of(Tensor weights, long row);
  }

  /// Rows of the columns as F32.
  private Tensor part(Tensor w, long from, long to, int first, Arena arena) {
    try (var all = Arena.ofShared()) {
      var floats = RoundedMatrix.floats(ops.workers(), w.slice(0, from, to), all);
      var part = Tensor.allocate(arena, DType.Plain.F32, to - from, columns);
      for (long r = 0; r < to - from; r++) {
        long source = Float.BYTES * (r * w.dim(1) + first);
        long target = (long) Float.BYTES * r * columns;
        MemorySegment.copy(floats, source, part.segment(), target, (long) Float.BYTES * columns);
      }
      return part;
    }
  }

  private void copyInOrder(Tensor from, Tensor to) {
    ops.workers()
        .forEach(
            from.dim(0),
            16,
            (worker, lo, hi) -> {
              for (long r = lo; r < hi; r++) {
                for (int i = 0; i < columns; i++) {
                  float v = from.segment().getAtIndex(FLOAT, r * columns + order[i]);
                  to.segment().setAtIndex(FLOAT, r * columns + i, v);
                }
              }
            });
  }

  /// What the errors of the columns from `end` on leave in those of the group before; null for the
  /// first group, which has none behind it.
  private Tensor before(Tensor errors, int end) {
    if (end == columns) {
      return null;
    }
    long behind = columns - end;
    var turned = ops.empty(group, behind);
    for (int j = 0; j < group; j++) {
      for (long i = 0; i < behind; i++) {
        float v = factor.getAtIndex(FLOAT, (end + i) * columns + end - group + j);
        turned.segment().setAtIndex(FLOAT, j * behind + i, v);
      }
    }
    var made = ops.empty(errors.dim(0), behind);
    ops.workers()
        .forEach(
            errors.dim(0),
            16,
            (worker, from, to) -> {
              for (long r = from; r < to; r++) {
                long source = Float.BYTES * (r * columns + end);
                long target = Float.BYTES * r * behind;
                MemorySegment.copy(
                    errors.segment(), source, made.segment(), target, Float.BYTES * behind);
              }
            });
    return ops.linear(made, turned);
  }

  /// Rounds the group at `place` of all rows.
  private void group(
      Tensor weights,
      int first,
      int place,
      Tensor before,
      Tensor lost,
      Tensor errors,
      long row,
      RoundedMatrix out) {
    var c = new float[group * group];
    for (int i = 0; i < group; i++) {
      for (int j = 0; j <= i; j++) {
        c[i * group + j] = factor.getAtIndex(FLOAT, (long) (place + i) * columns + place + j);
      }
    }
    ops.workers()
        .forEach(
            weights.dim(0),
            4,
            (worker, from, to) -> {
              var rounding = new GroupRounding(type.bits(), group);
              var w = new float[group];
              var left = new float[group];
              for (long r = from; r < to; r++) {
                for (int j = 0; j < group; j++) {
                  w[j] = weights.segment().getAtIndex(FLOAT, r * columns + order[place + j]);
                  left[j] = before == null ? 0 : before.segment().getAtIndex(FLOAT, r * group + j);
                  left[j] += lost.segment().getAtIndex(FLOAT, r * columns + place + j);
                }
                rounding.round(w, left, c);
                out.setScale(row + r, (first + order[place]) / group, rounding.scale);
                for (int j = 0; j < group; j++) {
                  int q = rounding.integers[j];
                  out.set(row + r, first + order[place + j], q);
                  float error = w[j] - rounding.scale * q;
                  errors.segment().setAtIndex(FLOAT, r * columns + place + j, error);
                }
              }
            });
  }
}
