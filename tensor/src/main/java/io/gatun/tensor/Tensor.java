package io.gatun.tensor;

import io.gatun.tensor.kernel.Elements;
import io.gatun.tensor.kernel.ggml.Mxfp4;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;

/// A typed, shaped view of off-heap memory.
///
/// A tensor owns nothing: whoever owns the segment's arena (a checkpoint, a session, a step
/// workspace) decides how long it lives. Slices, reshapes and transposes are views of the same
/// memory. Strides are in elements; the innermost dimension of a block type is always contiguous.
///
/// [#map], [#plus], [#minus], [#times], [#matmul], [#sum] and their like are for looking around, on
/// tensors of any type that can be computed with: they run on the calling thread, and their results
/// are F32 in memory that the collector frees. Models compute with `Ops`.
public final class Tensor {
  private final MemorySegment segment;
  private final DType dtype;
  private final Shape shape;
  private final long[] strides;
  private final Tensor scales;
  private final Dequantization dequantization;

  private Tensor(MemorySegment segment, DType dtype, Shape shape, long[] strides) {
    this(segment, dtype, shape, strides, null);
  }

  private Tensor(MemorySegment segment, DType dtype, Shape shape, long[] strides, Tensor scales) {
    this(segment, dtype, shape, strides, scales, null);
  }

  private Tensor(
      MemorySegment segment,
      DType dtype,
      Shape shape,
      long[] strides,
      Tensor scales,
      Dequantization dequantization) {
    this.segment = segment;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.scales = scales;
    this.dequantization = dequantization;
  }

  /// A contiguous row-major tensor over the start of `segment`.
  ///
  /// @throws IllegalArgumentException if the segment is smaller than dtype and shape need
  public static Tensor of(MemorySegment segment, DType dtype, Shape shape) {
    long bytes = dtype.byteSize(shape);
    if (segment.byteSize() < bytes) {
      throw new IllegalArgumentException(
          "a %s tensor of shape %s takes %d bytes; the segment has %d"
              .formatted(dtype.name(), shape, bytes, segment.byteSize()));
    }
    return new Tensor(segment.asSlice(0, bytes), dtype, shape, shape.strides());
  }

  /// A tensor over the start of `segment` whose dimensions have any strides, in elements; 0 repeats
  /// an element.
  ///
  /// @throws IllegalArgumentException if an element would lie outside the segment, a stride is
  ///   negative, or the type stores blocks
  public static Tensor strided(MemorySegment segment, DType dtype, Shape shape, long... strides) {
    if (dtype.blockSize() != 1) {
      throw new IllegalArgumentException(dtype.name() + " tensors have no strides of their own");
    }
    if (strides.length != shape.rank()) {
      throw new IllegalArgumentException(
          "strides %s for shape %s".formatted(Arrays.toString(strides), shape));
    }
    long elements = segment.byteSize() / dtype.blockBytes();
    long last = 0;
    for (int i = 0; i < strides.length && shape.size() > 0; i++) {
      long steps = shape.dim(i) - 1;
      if (strides[i] < 0 || (steps > 0 && strides[i] > (elements - 1 - last) / steps)) {
        last = elements;
        break;
      }
      last += steps * strides[i];
    }
    if (shape.size() > 0 && last >= elements) {
      throw new IllegalArgumentException(
          "shape %s with strides %s leaves the segment, which has %d elements"
              .formatted(shape, Arrays.toString(strides), elements));
    }
    long bytes = shape.size() == 0 ? 0 : (last + 1) * dtype.blockBytes();
    return new Tensor(segment.asSlice(0, bytes), dtype, shape, strides.clone());
  }

  /// Values of [DType.Block#MXFP4_PAIRS] and their scales, both where they are: as a tensor (...,
  /// K).
  ///
  /// @param blocks (..., K / 32, 16) bytes
  /// @param scales (..., K / 32) F8_E8M0, or bytes that are
  /// @throws IllegalArgumentException if the shapes do not fit, or one of them has gaps
  public static Tensor scaled(Tensor blocks, Tensor scales) {
    int rank = scales.shape.rank();
    var type = DType.Block.MXFP4_PAIRS;
    var wanted = Arrays.copyOf(scales.shape.dims(), rank + 1);
    wanted[rank] = type.blockBytes();
    if (rank == 0
        || !blocks.shape.equals(Shape.of(wanted))
        || blocks.byteSize() != blocks.size()
        || scales.byteSize() != scales.size()
        || !blocks.isContiguous()
        || !scales.isContiguous()) {
      throw new IllegalArgumentException(
          "%s %s with scales %s %s: need bytes without gaps, %d to a scale"
              .formatted(
                  blocks.dtype.name(),
                  blocks.shape,
                  scales.dtype.name(),
                  scales.shape,
                  type.blockBytes()));
    }
    var dims = scales.shape.dims();
    dims[rank - 1] *= type.blockSize();
    var shape = Shape.of(dims);
    return new Tensor(blocks.segment, type, shape, shape.strides(), scales);
  }

  /// The scales of the blocks where these are in memory of their own, one each (..., K / 32); else
  /// null.
  public Tensor scales() {
    return scales;
  }

  /// The matrix whose numbers these are. It has views of rows, and no others.
  ///
  /// @param how null, or one that [Dequantization#isNone], for the numbers themselves
  /// @throws IllegalArgumentException if this is no matrix without gaps
  public Tensor dequantized(Dequantization how) {
    if (shape.rank() != 2 || !isContiguous() || scales != null) {
      throw new IllegalArgumentException(
          "only a matrix without gaps is dequantized; this is %s %s"
              .formatted(dtype.name(), shape));
    }
    var some = how == null || how.isNone() ? null : how;
    return new Tensor(segment, dtype, shape, strides, null, some);
  }

  /// What makes values of this matrix's numbers; null where these are the values.
  public Dequantization dequantization() {
    return dequantization;
  }

  /// A zeroed tensor in memory of `arena`, aligned to a cache line.
  public static Tensor allocate(Arena arena, DType dtype, long... dims) {
    var shape = Shape.of(dims);
    return of(arena.allocate(Math.max(1, dtype.byteSize(shape)), 64), dtype, shape);
  }

  /// An F32 tensor holding a copy of `values`.
  public static Tensor ofFloats(Arena arena, float[] values, long... dims) {
    var t = allocate(arena, DType.Plain.F32, dims);
    if (values.length != t.size()) {
      throw new IllegalArgumentException(
          values.length + " values given for shape " + t.shape + " of " + t.size());
    }
    MemorySegment.copy(values, 0, t.segment, ValueLayout.JAVA_FLOAT, 0, values.length);
    return t;
  }

  /// The memory from the first element on.
  public MemorySegment segment() {
    return segment;
  }

  public DType dtype() {
    return dtype;
  }

  public Shape shape() {
    return shape;
  }

  /// The size of dimension `i`; negative `i` counts from the end.
  public long dim(int i) {
    return shape.dim(i);
  }

  /// The stride of dimension `i` in elements; negative `i` counts from the end.
  public long stride(int i) {
    return strides[shape.checkDim(i)];
  }

  /// The number of elements.
  public long size() {
    return shape.size();
  }

  /// The bytes from the first element to the last, gaps included.
  public long byteSize() {
    return segment.byteSize();
  }

  /// Whether the elements lie in row-major order without gaps.
  public boolean isContiguous() {
    long stride = 1;
    for (int i = strides.length - 1; i >= 0; i--) {
      if (shape.dim(i) != 1 && strides[i] != stride) {
        return false;
      }
      stride *= shape.dim(i);
    }
    return true;
  }

  /// The elements `from` (inclusive) to `to` (exclusive) of dimension `dim`, as a view.
  ///
  /// @throws IndexOutOfBoundsException if the range leaves the dimension
  /// @throws IllegalArgumentException if a block type is cut inside a block, or a tiled one not
  ///   between its tiles of rows
  public Tensor slice(int dim, long from, long to) {
    int d = shape.checkDim(dim);
    if (from < 0 || to < from || to > shape.dim(d)) {
      throw new IndexOutOfBoundsException(
          "slice %d..%d of dimension %d of shape %s".formatted(from, to, d, shape));
    }
    if (dequantization != null) {
      requireRows(d == 0);
      return dequantized(null).slice(0, from, to).dequantized(dequantization.rows(from, to));
    }
    if (dtype instanceof DType.Tiled && d == 0) {
      return tiles(from, to);
    }
    var dims = shape.dims();
    dims[d] = to - from;
    var view = view(from * strides[d], dims, strides.clone());
    if (scales == null) {
      return view;
    }
    int unit = d == shape.rank() - 1 ? dtype.blockSize() : 1;
    return view.with(scales.slice(d, from / unit, to / unit));
  }

  private void requireRows(boolean rows) {
    if (!rows) {
      throw new IllegalArgumentException(
          "a %s matrix of shape %s with scales or offsets beside it has no views but of rows"
              .formatted(dtype.name(), shape));
    }
  }

  private Tensor tiles(long from, long to) {
    int rows = DType.Tiled.ROWS;
    if (from % rows != 0 || (to % rows != 0 && to != shape.dim(0))) {
      throw new IllegalArgumentException(
          "rows %d to %d of a %s tensor of shape %s: a view cannot cut its tiles of %d rows"
              .formatted(from, to - 1, dtype.name(), shape, rows));
    }
    long at = from == 0 ? 0 : dtype.byteSize(Shape.of(from, shape.dim(1)));
    return of(segment.asSlice(at), dtype, Shape.of(to - from, shape.dim(1)));
  }

  /// Element `index` of the outermost dimension, which is dropped.
  ///
  /// @throws IndexOutOfBoundsException if there is no such element
  /// @throws IllegalArgumentException if a block type is cut inside a block
  public Tensor get(long index) {
    int d = shape.checkDim(0);
    if (index < 0 || index >= shape.dim(d)) {
      throw new IndexOutOfBoundsException(
          "element %d of dimension 0 of shape %s".formatted(index, shape));
    }
    requireRows(dequantization == null);
    var t = slice(0, index, index + 1);
    var view =
        t.view(
            0,
            Arrays.copyOfRange(t.shape.dims(), 1, shape.rank()),
            Arrays.copyOfRange(strides, 1, strides.length));
    return scales == null ? view : view.with(t.scales.get(0));
  }

  private Tensor with(Tensor newScales) {
    return new Tensor(segment, dtype, shape, strides, newScales);
  }

  /// The same elements in another shape.
  ///
  /// @throws IllegalArgumentException if the sizes differ, the tensor has gaps, or a block would be
  ///   split; of a tiled type also if the shape differs at all
  public Tensor reshape(long... dims) {
    var s = Shape.of(dims);
    if (s.size() != size()) {
      throw new IllegalArgumentException(
          "cannot view %s, which has %d elements, as %s, which has %d"
              .formatted(shape, size(), s, s.size()));
    }
    if (!isContiguous()) {
      throw new IllegalArgumentException(
          "cannot view %s with gaps as %s; copy(arena) has none".formatted(shape, s));
    }
    if (dequantization != null) {
      requireRows(s.equals(shape));
      return this;
    }
    if (dtype instanceof DType.Tiled && !s.equals(shape)) {
      throw new IllegalArgumentException(
          "a %s tensor has no views: it is tiled; cannot view %s as %s"
              .formatted(dtype.name(), shape, s));
    }
    if (dtype.blockSize() > 1 && s.dim(-1) % dtype.blockSize() != 0) {
      throw new IllegalArgumentException(
          "cannot view %s as %s: %s has blocks of %d elements, and a view cannot split one"
              .formatted(shape, s, dtype.name(), dtype.blockSize()));
    }
    if (scales == null) {
      return of(segment, dtype, s);
    }
    var groups = s.dims();
    groups[groups.length - 1] /= dtype.blockSize();
    return of(segment, dtype, s).with(scales.reshape(groups));
  }

  /// A copy of the same type and shape without gaps, in memory of `memory`: an arena's, say.
  public Tensor copy(SegmentAllocator memory) {
    var copy = of(memory.allocate(Math.max(1, dtype.byteSize(shape)), 64), dtype, shape);
    if (isContiguous()) {
      copy.segment.copyFrom(segment);
    } else {
      copyTo(copy.segment);
    }
    if (dequantization != null) {
      return copy.dequantized(dequantization); // whose parts stay where they are
    }
    return scales == null ? copy : copy.with(scales.copy(memory));
  }

  /// Copies the elements in row-major order: row by row, or, where rows have gaps too, one by one.
  private void copyTo(MemorySegment target) {
    int rank = shape.rank();
    boolean rows = dtype.blockSize() > 1 || shape.dim(-1) == 1 || strides[rank - 1] == 1;
    int outer = rows ? rank - 1 : rank;
    long unit = rows ? shape.dim(-1) : 1;
    long bytes = unit / dtype.blockSize() * dtype.blockBytes();
    var index = new long[outer];
    for (long n = 0; n < size() / Math.max(1, unit); n++) {
      long at = 0;
      for (int i = 0; i < outer; i++) {
        at += index[i] * strides[i];
      }
      long from = at / dtype.blockSize() * dtype.blockBytes();
      MemorySegment.copy(segment, from, target, n * bytes, bytes);
      for (int i = outer - 1; i >= 0 && ++index[i] == shape.dim(i); i--) {
        index[i] = 0;
      }
    }
  }

  /// The view with dimensions `a` and `b` exchanged.
  ///
  /// @throws IllegalArgumentException if that would move the innermost dimension of a block type
  public Tensor transpose(int a, int b) {
    int i = shape.checkDim(a);
    int j = shape.checkDim(b);
    if (dtype.blockSize() > 1 && i != j && Math.max(i, j) == shape.rank() - 1) {
      throw new IllegalArgumentException(
          "cannot move the innermost dimension of a " + dtype.name() + " tensor: it holds blocks");
    }
    requireRows(dequantization == null);
    var dims = shape.dims();
    var st = strides.clone();
    dims[i] = shape.dim(j);
    dims[j] = shape.dim(i);
    st[i] = strides[j];
    st[j] = strides[i];
    return new Tensor(
        segment, dtype, Shape.of(dims), st, scales == null ? null : scales.transpose(a, b));
  }

  private Tensor view(long elementOffset, long[] dims, long[] newStrides) {
    if (dtype instanceof DType.Tiled || dtype instanceof DType.Unknown) {
      throw new IllegalArgumentException(
          "a %s tensor has no views: its type is tiled, or not known".formatted(dtype.name()));
    }
    var s = Shape.of(dims);
    int block = dtype.blockSize();
    if (elementOffset % block != 0 || (s.rank() == 0 ? 1 : s.dim(-1)) % block != 0) {
      throw new IllegalArgumentException(
          "%s has blocks of %d elements; a view cannot split one".formatted(dtype.name(), block));
    }
    if (s.size() == 0) {
      return new Tensor(segment.asSlice(0, 0), dtype, s, newStrides);
    }
    long last = 0;
    for (int i = 0; i < dims.length; i++) {
      last += (dims[i] - 1) * newStrides[i];
    }
    long extent = Math.ceilDiv(last + 1, (long) block) * dtype.blockBytes();
    long offset = elementOffset / block * dtype.blockBytes();
    return new Tensor(segment.asSlice(offset, extent), dtype, s, newStrides);
  }

  /// One element, converted to float, whatever the type: for looking at values, not for computing.
  public float getFloat(long... index) {
    if (index.length != shape.rank()) {
      throw new IllegalArgumentException(index.length + " indices for shape " + shape);
    }
    long at = 0;
    for (int i = 0; i < index.length; i++) {
      if (index[i] < 0 || index[i] >= shape.dim(i)) {
        throw new IndexOutOfBoundsException(
            "index %d of dimension %d of shape %s".formatted(index[i], i, shape));
      }
      at += index[i] * strides[i];
    }
    if (dequantization != null) {
      return slice(0, index[0], index[0] + 1).toFloats()[(int) index[1]];
    }
    if (scales != null) {
      var group = index.clone();
      group[group.length - 1] /= dtype.blockSize();
      long s = 0;
      for (int i = 0; i < group.length; i++) {
        s += group[i] * scales.strides[i];
      }
      return Mxfp4.get(segment, at, scales.segment.get(ValueLayout.JAVA_BYTE, s) & 0xFF);
    }
    return Elements.get(segment, dtype, shape, at);
  }

  /// All elements in row-major order as floats on the heap: for tests and small results.
  public float[] toFloats() {
    if (dequantization != null) {
      return dequantizedFloats();
    }
    if (isContiguous() && scales == null) {
      return Elements.toFloats(segment, dtype, shape);
    }
    var out = new float[Math.toIntExact(size())];
    var index = new long[shape.rank()];
    for (int n = 0; n < out.length; n++) {
      out[n] = getFloat(index);
      for (int i = index.length - 1; i >= 0 && ++index[i] == shape.dim(i); i--) {
        index[i] = 0;
      }
    }
    return out;
  }

  private float[] dequantizedFloats() {
    float[] values = Elements.toFloats(segment, dtype, shape);
    var all = MemorySegment.ofArray(values);
    int columns = Math.toIntExact(dim(1));
    for (int n = 0; n < dim(0); n++) {
      dequantization.apply(n, all, 4L * n * columns, columns);
    }
    return values;
  }

  /// The values that `function` gives for each element.
  public Tensor map(DoubleUnaryOperator function) {
    return TensorMath.map(this, function);
  }

  /// `this + other`, where the shape of `other` is this one's or the end of it, and is then
  /// repeated.
  ///
  /// @throws IllegalArgumentException if it is neither
  public Tensor plus(Tensor other) {
    return TensorMath.plus(this, other, 1);
  }

  /// `this - other`, of shapes as for [#plus].
  ///
  /// @throws IllegalArgumentException as [#plus]
  public Tensor minus(Tensor other) {
    return TensorMath.plus(this, other, -1);
  }

  /// `this * other`, element by element, of shapes as for [#plus].
  ///
  /// @throws IllegalArgumentException as [#plus]
  public Tensor times(Tensor other) {
    return TensorMath.times(this, other);
  }

  /// The matrix product of this (M, K) and `other` (K, N): (M, N). A weight (N, K) comes as
  /// `w.transpose(0, 1)`.
  ///
  /// @throws IllegalArgumentException if these are no matrices that fit
  public Tensor matmul(Tensor other) {
    return TensorMath.matmul(this, other);
  }

  /// The sum of all elements.
  public double sum() {
    return TensorMath.sum(this);
  }

  /// The mean of all elements; NaN if there are none.
  public double mean() {
    return TensorMath.sum(this) / size();
  }

  /// The greatest element; NaN if one is; negative infinity if there are none.
  public float max() {
    return TensorMath.max(this);
  }

  /// The least element; NaN if one is; infinity if there are none.
  public float min() {
    return TensorMath.min(this);
  }

  /// The index in row-major order of the greatest element, the first of equals.
  ///
  /// @throws IllegalArgumentException if there are no elements, or one is NaN
  public long argmax() {
    return TensorMath.argmax(this);
  }

  /// `BF16 (4096, 4096) [0.0123, -0.0045, 0.0310, ...] min -0.31 max 0.29 mean 0.0001`; statistics
  /// only up to a million elements. A small matrix is shown whole, a row to a line. A tensor whose
  /// memory is gone says `closed`.
  @Override
  public String toString() {
    return TensorFormat.format(this);
  }
}
