package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// What linear layers with one input were given, and what is asked of them in addition: to make up
/// for what quantized layers before them have lost. Wide inputs are looked at in parts, as if these
/// did not depend on each other: the memory grows with the square of a part.
final class LayerInputs implements AutoCloseable {
  /// The most columns of a part.
  private static final int WIDEST = 4096;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final List<Part> parts = new ArrayList<>();
  private final int columns;
  private final int width;

  /// Some of the columns.
  private static final class Part implements AutoCloseable {
    /// (K, K).
    private final Moments hessian;

    /// Of inputs x and what x is less than it was in the original model: (K, K), or null.
    private Moments shift;

    /// Of what the residual stream is less, and x: (N, K), or null.
    private Moments residual;

    Part(int columns) {
      hessian = new Moments(columns, columns);
    }

    @Override
    public void close() {
      hessian.close();
      if (shift != null) {
        shift.close();
      }
      if (residual != null) {
        residual.close();
      }
    }
  }

  /// @param columns K
  LayerInputs(int columns) {
    this.columns = columns;
    width = width(columns);
    for (int from = 0; from < columns; from += width) {
      parts.add(new Part(Math.min(width, columns - from)));
    }
  }

  /// Parts of one size, but for the last, that are whole groups of any size.
  private static int width(int columns) {
    int count = Math.ceilDiv(columns, columns > 4 * WIDEST ? WIDEST / 2 : WIDEST);
    return Math.ceilDiv(Math.ceilDiv(columns, count), 128) * 128;
  }

  /// The bytes that one takes.
  ///
  /// @param residual the N of layers whose results are added to the residual stream; 0 for others
  static long bytes(int columns, long residual) {
    return Moments.bytes(2L * Math.min(columns, width(columns)) + residual, columns);
  }

  /// Adds inputs.
  ///
  /// @param x (T, K) F32 without gaps
  /// @param original what x was in the original model, or null if that is not known
  /// @param residual by what the residual stream (T, N) is less, or null
  void add(Ops ops, Tensor x, Tensor original, Tensor residual) {
    for (int i = 0; i < parts.size(); i++) {
      int from = i * width;
      var part = parts.get(i);
      try (var arena = Arena.ofShared()) {
        var own = part(x, from, arena);
        part.hessian.add(ops, own, own);
        if (original != null) {
          var less = difference(ops, part(original, from, arena), own, arena);
          part.shift = part.shift == null ? new Moments(own.dim(1), own.dim(1)) : part.shift;
          part.shift.add(ops, own, less);
        }
        if (residual != null) {
          long rows = residual.dim(1);
          part.residual = part.residual == null ? new Moments(rows, own.dim(1)) : part.residual;
          part.residual.add(ops, residual, own);
        }
      }
    }
  }

  private Tensor part(Tensor x, int from, Arena arena) {
    return parts.size() == 1 ? x : x.slice(1, from, Math.min(columns, from + width)).copy(arena);
  }

  /// a - b.
  static Tensor difference(Ops ops, Tensor a, Tensor b, Arena arena) {
    var difference = Tensor.allocate(arena, DType.Plain.F32, a.shape().dims());
    ops.workers()
        .forEach(
            a.size(),
            1 << 14,
            (worker, from, to) -> {
              for (long i = from; i < to; i++) {
                float v = a.segment().getAtIndex(FLOAT, i) - b.segment().getAtIndex(FLOAT, i);
                difference.segment().setAtIndex(FLOAT, i, v);
              }
            });
    return difference;
  }

  /// H of each group of `size` columns (size, size), with a little on the diagonal for those that
  /// no text has reached.
  float[][] blocks(int size) {
    var blocks = new float[columns / size][size * size];
    for (int g = 0; g < blocks.length; g++) {
      var hessian = parts.get(g * size / width).hessian;
      int first = g * size % width;
      float trace = 0;
      for (int i = 0; i < size * size; i++) {
        blocks[g][i] = hessian.get(first + i / size, first + i % size);
        trace += i / size == i % size ? blocks[g][i] : 0;
      }
      for (int i = 0; i < size; i++) {
        blocks[g][i * size + i] += Math.max(0.01f * trace / size, Float.MIN_NORMAL);
      }
    }
    return blocks;
  }

  /// `sum ||d x||^2` of errors d (N, K).
  double loss(Ops ops, Tensor errors) {
    double sum = 0;
    for (int i = 0; i < parts.size(); i++) {
      try (var arena = Arena.ofShared()) {
        var own = part(errors, i * width, arena);
        var products = ops.linear(own, parts.get(i).hessian.sums());
        for (long k = 0; k < own.size(); k++) {
          float d = own.segment().getAtIndex(FLOAT, k);
          sum += (double) d * products.segment().getAtIndex(FLOAT, k);
        }
      }
    }
    return sum;
  }

  /// Weights of the layers, rounded by GPTQ.
  ///
  /// @param weights (N, K) each, without gaps
  /// @param type of all of them
  /// @param out where the results go
  List<Tensor> round(Ops ops, List<Tensor> weights, DType.Tiled type, Arena out) {
    try (var arena = Arena.ofShared()) {
      var rounded = new ArrayList<RoundedMatrix>();
      for (Tensor w : weights) {
        rounded.add(new RoundedMatrix(type, w.dim(0), columns, arena));
      }
      for (int i = 0; i < parts.size(); i++) {
        var part = parts.get(i);
        try (var memory = Arena.ofShared()) {
          var gptq = new Gptq(ops, part.hessian, type, memory);
          for (int m = 0; m < weights.size(); m++) {
            gptq.round(
                weights.get(m), i * width, (w, row) -> wanted(ops, part, w, row), rounded.get(m));
          }
        }
      }
      return rounded.stream().map(r -> r.tiles(ops.workers(), out)).toList();
    }
  }

  /// `W sum (x* - x) x^T + sum r x^T`: of the residual each part makes up for its share; null for
  /// nothing.
  ///
  /// @param w (rows, K) of a part, from row `row` of the matrix on
  private Tensor wanted(Ops ops, Part part, Tensor w, long row) {
    var wanted = part.shift == null ? null : ops.linear(w, part.shift.sums()); // (rows, K)
    if (part.residual != null && wanted != null) {
      var residual = part.residual.sums().slice(0, row, row + w.dim(0));
      float share = 1f / parts.size();
      ops.workers()
          .forEach(
              wanted.size(),
              1 << 14,
              (worker, from, to) -> {
                for (long i = from; i < to; i++) {
                  float sum = wanted.segment().getAtIndex(FLOAT, i);
                  sum += share * residual.segment().getAtIndex(FLOAT, i);
                  wanted.segment().setAtIndex(FLOAT, i, sum);
                }
              });
    }
    return wanted;
  }

  @Override
  public void close() {
    parts.forEach(Part::close);
  }
}
