package io.gatun.models.rewrite;

import io.gatun.loaders.TensorData;
import io.gatun.models.quantize.Method;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.LongUnaryOperator;

/// A tensor as it is to be written.
///
/// @param sources what follows each other in it, all of one type
/// @param rowOf which row of a source comes as row i, or null if they keep their order
/// @param method how numbers are rounded where they are
record RewrittenTensor(
    String name,
    List<Tensor> sources,
    DType dtype,
    Shape shape,
    LongUnaryOperator rowOf,
    Method method) {
  /// Of numbers that are rounded to the nearest.
  RewrittenTensor(
      String name, List<Tensor> sources, DType dtype, Shape shape, LongUnaryOperator rowOf) {
    this(name, sources, dtype, shape, rowOf, Method.RTN);
  }

  /// One tensor, of its own shape.
  static RewrittenTensor of(String name, Tensor source, DType dtype) {
    return new RewrittenTensor(name, List.of(source), dtype, source.shape(), null);
  }

  /// The same with numbers rounded by a method.
  RewrittenTensor by(Method newMethod) {
    return new RewrittenTensor(name, sources, dtype, shape, rowOf, newMethod);
  }

  /// The same as another type.
  RewrittenTensor as(DType newType) {
    return new RewrittenTensor(name, sources, newType, shape, rowOf, method);
  }

  boolean isCopy() {
    return rowOf == null && dtype.equals(sources.getFirst().dtype());
  }

  long bytes() {
    return dtype.byteSize(shape);
  }

  /// The bytes, made when they are asked for.
  ///
  /// @param progress is told how many as they are written
  TensorData data(Workers workers, LongConsumer progress) {
    return sink -> {
      Consumer<MemorySegment> out =
          piece -> {
            sink.write(piece);
            progress.accept(piece.byteSize());
          };
      for (Tensor stored : sources) {
        if (stored.isContiguous()) {
          write(stored, workers, out);
          continue;
        }
        // PyTorch stores some tensors transposed, say.
        try (var arena = Arena.ofShared()) {
          write(stored.copy(arena), workers, out);
        }
      }
    };
  }

  private void write(Tensor source, Workers workers, Consumer<MemorySegment> out) {
    if (isCopy()) {
      out.accept(source.segment());
    } else if (rowOf == null) {
      method.convert(workers, matrix(source), dtype, out);
    } else {
      Packing.permute(workers, matrix(source), dtype, rowOf, out);
    }
  }

  /// A vector as a column; a stack of matrices as one.
  private static Tensor matrix(Tensor t) {
    return switch (t.shape().rank()) {
      case 1 -> t.reshape(t.size(), 1);
      case 2 -> t;
      default -> t.reshape(t.size() / t.dim(-1), t.dim(-1));
    };
  }
}
