package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Int8Panels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A weight (N, K) rounded to 8 bits, with one scale for each row: as a tensor, or packed for
/// oneDNN's products.
///
/// @param values (N, K) I8; null where they are packed
/// @param blocks packed rows; null where they are a tensor
/// @param scales N F32
/// @param sums N I32: the sums of the rows' integers, times 128
record Int8Weight(Tensor values, Block[] blocks, MemorySegment scales, MemorySegment sums) {
  /// Rows of activations for which the layouts are chosen.
  private static final int TYPICAL_ROWS = 128;

  /// Rows that a worker rounds at a time where they are not packed.
  private static final int ROWS = 64;

  /// Packed rows.
  ///
  /// @param spec the product of [#TYPICAL_ROWS] rows with them
  record Block(int from, int count, MatmulSpec spec, MemorySegment memory) {}

  /// Whether the products of this machine read packed integers.
  static boolean packs(Functional f) {
    return f.ops().backend() == Backend.NATIVE && OneDnn.supports(ElementType.S8);
  }

  static Int8Weight tensor(Functional f, Tensor weight) {
    var shape = Shape.of(weight.dim(0), weight.dim(1));
    var values =
        Tensor.of(Arena.ofAuto().allocate(shape.size(), 64), DType.Plain.I8, shape);
    var result = empty(values, null, weight);
    int k = Math.toIntExact(weight.dim(1));
    f.reserveAnyway(shape.size());
    result.round(
        f,
        weight,
        ROWS,
        (from, count, integers, at) ->
            MemorySegment.copy(integers, at, values.segment(), (long) from * k, (long) count * k));
    return result;
  }

  static Int8Weight packed(Functional f, Tensor weight) {
    int n = Math.toIntExact(weight.dim(0));
    int k = Math.toIntExact(weight.dim(1));
    int perBlock = NativeWeight.rowsPerBlock(n, k);
    var blocks = new Block[Math.ceilDiv(n, perBlock)];
    var result = empty(null, blocks, weight);
    var arena = Arena.ofAuto();
    f.reserveAnyway((long) n * k);
    var layouts = new PackedLayout[2];
    for (int i = 0; i < blocks.length; i++) {
      int from = i * perBlock;
      int count = Math.min(perBlock, n - from);
      var rows = rows(count, k);
      int which = count == perBlock ? 0 : 1;
      if (layouts[which] == null) {
        layouts[which] = OneDnn.packedLayout(rows);
      }
      var layout = layouts[which];
      blocks[i] =
          new Block(from, count, rows.withLayout(layout), arena.allocate(layout.byteSize(), 64));
    }
    result.round(
        f,
        weight,
        perBlock,
        (from, count, integers, at) -> {
          var block = blocks[from / perBlock];
          OneDnn.pack(
              rows(count, k),
              ElementType.S8,
              integers.asSlice(at, (long) count * k),
              (PackedLayout) block.spec.layout(),
              block.memory);
        });
    return result;
  }

  private static MatmulSpec rows(int count, int k) {
    return MatmulSpec.of(
        TYPICAL_ROWS, count, k, ElementType.U8, ElementType.S8, ElementType.S32, true);
  }

  private static Int8Weight empty(Tensor values, Block[] blocks, Tensor weight) {
    var arena = Arena.ofAuto();
    long bytes = 4 * weight.dim(0);
    return new Int8Weight(values, blocks, arena.allocate(bytes, 64), arena.allocate(bytes, 64));
  }

  /// Takes rounded rows.
  private interface Sink {
    void accept(int from, int count, MemorySegment integers, long at);
  }

  private void round(Functional f, Tensor weight, int perBlock, Sink sink) {
    int n = Math.toIntExact(weight.dim(0));
    int k = Math.toIntExact(weight.dim(1));
    long stride = ((long) perBlock * k + 63 & -64) + 4L * k;
    try (var scope = f.scope()) {
      var scratch = f.ops().workspace().take(stride * f.ops().workers().threads());
      f.ops()
          .workers()
          .forEach(
              Math.ceilDiv(n, perBlock),
              1,
              (worker, from, to) -> {
                long at = worker * stride;
                long floats = at + stride - 4L * k;
                for (int block = (int) from; block < to; block++) {
                  int first = block * perBlock;
                  int count = Math.min(perBlock, n - first);
                  for (int i = 0; i < count; i++) {
                    int row = first + i;
                    WeightRows.toFloat(f.ops().backend(), weight, row, 1, scratch, floats);
                    long q = at + (long) i * k;
                    Floats.set(scales, 0, row, Int8Panels.quantize(scratch, floats, k, 0, scratch, q));
                    sums.setAtIndex(
                        ValueLayout.JAVA_INT, row, 128 * Int8Panels.sum(scratch, q, k));
                  }
                  sink.accept(first, count, scratch, at);
                }
              });
    }
  }
}
