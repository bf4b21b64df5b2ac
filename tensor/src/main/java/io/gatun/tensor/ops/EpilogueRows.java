package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/// What follows a product, done to F32 rows or parts of them on the way to their place in the
/// result.
final class EpilogueRows {
  private final Functional f;
  private final MemorySegment bias;
  private final Epilogue epilogue;
  private final Tensor out;
  private final int columns;
  private final long rowsPerImage;
  private final MemorySegment scratch;

  /// @param bias F32; null for none
  EpilogueRows(Functional f, MemorySegment bias, Epilogue epilogue, Tensor out) {
    this.f = f;
    this.bias = bias;
    this.epilogue = epilogue;
    this.out = out;
    columns = Math.toIntExact(out.dim(-1));
    long images = epilogue.columns() == null ? 1 : epilogue.columns().dim(0);
    rowsPerImage = out.size() / columns / images;
    scratch = f.ops().workspace().take(4L * columns * f.ops().workers().threads());
  }

  /// Finishes `n` products of a row, for the columns from `column` on, which are overwritten.
  void finish(int worker, MemorySegment y, long at, long row, int column, int n) {
    var backend = f.ops().backend();
    var kernels = f.ops().kernels();
    long other = 4L * columns * worker;
    if (bias != null) {
      kernels.add(y, at, bias, 4L * column, n, y, at);
    }
    if (epilogue.columns() != null) {
      long first = row / rowsPerImage * columns + column;
      RowMap.load(backend, epilogue.columns(), first, n, scratch, other);
      kernels.add(y, at, scratch, other, n, y, at);
    }
    Elementwise.apply(f.kernels(), epilogue.activation(), y, at, n, y, at);
    if (epilogue.residual() != null) {
      RowMap.load(backend, epilogue.residual(), row * columns + column, n, scratch, other);
      kernels.add(y, at, scratch, other, n, y, at);
    }
    RowMap.store(backend, y, at, out, row * columns + column, n);
  }
}
