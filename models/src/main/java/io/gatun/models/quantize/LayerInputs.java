package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/// What linear layers with one input were given. Wide inputs are looked at in parts, as if these
/// did not depend on each other: the memory grows with the square of a part.
final class LayerInputs implements AutoCloseable {
  /// The most columns of a part.
  private static final int WIDEST = 8192;

  private final List<Hessian> parts = new ArrayList<>();
  private final int columns;
  private final int width;

  /// @param columns K
  LayerInputs(int columns) {
    this.columns = columns;
    width = width(columns);
    for (int from = 0; from < columns; from += width) {
      parts.add(new Hessian(Math.min(width, columns - from)));
    }
  }

  /// Parts of one size, but for the last, that are whole groups of any size.
  private static int width(int columns) {
    int count = Math.ceilDiv(columns, WIDEST);
    return Math.ceilDiv(Math.ceilDiv(columns, count), 128) * 128;
  }

  /// The bytes that one of K columns takes.
  static long bytes(int columns) {
    return Math.ceilDiv(columns, width(columns)) * Hessian.bytes(Math.min(columns, width(columns)));
  }

  /// Inputs that were added.
  long rows() {
    return parts.getFirst().rows();
  }

  /// Adds inputs.
  ///
  /// @param x (T, K) F32 without gaps
  void add(Ops ops, Tensor x) {
    for (int i = 0; i < parts.size(); i++) {
      int from = i * width;
      int to = from + parts.get(i).columns();
      try (var arena = Arena.ofShared()) {
        parts.get(i).add(ops, parts.size() == 1 ? x : x.slice(1, from, to).copy(arena));
      }
    }
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
        try (var part = Arena.ofShared()) {
          var gptq = new Gptq(ops, parts.get(i), type, part);
          for (int m = 0; m < weights.size(); m++) {
            gptq.round(weights.get(m), i * width, rounded.get(m));
          }
        }
      }
      return rounded.stream().map(r -> r.tiles(ops.workers(), out)).toList();
    }
  }

  @Override
  public void close() {
    parts.forEach(Hessian::close);
  }
}
