package io.gatun.tensor.ops.linear;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.Int8Products;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// A weight (N, K) rounded to 8 bits, with one scale for each row: as a tensor, or packed for
/// oneDNN's products.
///
/// @param values (N, K) I8; null where they are packed
/// @param blocks packed rows; empty where they are a tensor
/// @param scales N F32
/// @param sums N I32: the sums of the rows' integers, times 128
record Int8Weight(Tensor values, List<Block> blocks, MemorySegment scales, MemorySegment sums) {
  /// Rows of activations for which the layouts are chosen.
  private static final int TYPICAL_ROWS = 128;

  /// Rows that a worker rounds at a time where they are not packed.
  private static final int ROWS = 64;

  /// Packed rows.
  ///
  /// @param spec the product of [#TYPICAL_ROWS] rows with them
  record Block(int from, int count, MatmulSpec spec, MemorySegment memory) {}

  static Int8Weight tensor(Context ctx, List<Tensor> weights, SegmentAllocator memory) {
    long n = weights.stream().mapToLong(w -> w.dim(0)).sum();
    long k = weights.getFirst().dim(1);
    var shape = Shape.of(n, k);
    var values = Tensor.of(memory.allocate(n * k, 64), DType.Plain.I8, shape);
    var result = empty(values, List.of(), n, memory);
    int from = 0;
    for (var weight : weights) {
      result.round(
          ctx,
          weight,
          from,
          ROWS,
          (first, count, integers, at) ->
              MemorySegment.copy(integers, at, values.segment(), first * k, count * k));
      from += (int) weight.dim(0);
    }
    return result;
  }

  static Int8Weight packed(Context ctx, List<Tensor> weights, SegmentAllocator memory) {
    long n = weights.stream().mapToLong(w -> w.dim(0)).sum();
    int k = Math.toIntExact(weights.getFirst().dim(1));
    var blocks = new ArrayList<Block>();
    var result = empty(null, blocks, n, memory);
    int from = 0;
    for (var weight : weights) {
      int rows = Math.toIntExact(weight.dim(0));
      int perBlock = PackedWeight.rowsPerBlock(rows, k);
      int start = from;
      int firstBlock = blocks.size();
      for (int row = 0; row < rows; row += perBlock) {
        int count = Math.min(perBlock, rows - row);
        var spec = spec(count, k);
        var layout = OneDnn.packedLayout(spec);
        var rowsMemory = memory.allocate(layout.byteSize(), 64);
        blocks.add(new Block(start + row, count, spec.withLayout(layout), rowsMemory));
      }
      result.round(
          ctx,
          weight,
          start,
          perBlock,
          (first, count, integers, at) -> {
            var block = blocks.get(firstBlock + (first - start) / perBlock);
            OneDnn.pack(
                spec(count, k),
                ElementType.S8,
                integers.asSlice(at, (long) count * k),
                (PackedLayout) block.spec.layout(),
                block.memory);
          });
      from += rows;
    }
    return result;
  }

  /// Whether the second half of the rows has blocks of the same sizes as the first.
  boolean hasHalves() {
    return PackedWeight.hasHalves(blocks.stream().mapToInt(Block::count).toArray());
  }

  private static MatmulSpec spec(int count, int k) {
    return MatmulSpec.of(
        TYPICAL_ROWS, count, k, ElementType.U8, ElementType.S8, ElementType.S32, true);
  }

  private static Int8Weight empty(
      Tensor values, List<Block> blocks, long n, SegmentAllocator memory) {
    return new Int8Weight(values, blocks, memory.allocate(4 * n, 64), memory.allocate(4 * n, 64));
  }

  /// Takes rounded rows.
  private interface Sink {
    void accept(int from, int count, MemorySegment integers, long at);
  }

  /// Rounds the rows of `weight`, which are this one's from `start` on.
  private void round(Context ctx, Tensor weight, int start, int perBlock, Sink sink) {
    int n = Math.toIntExact(weight.dim(0));
    int k = Math.toIntExact(weight.dim(1));
    long integers = (long) perBlock * k;
    long stride = integers + 4L * k;
    try (var _ = ctx.scope()) {
      var scratch = ctx.perWorker(stride);
      ctx.forEach(
          Math.ceilDiv(n, perBlock),
          1,
          (worker, from, to) -> {
            long at = worker * stride;
            for (int block = (int) from; block < to; block++) {
              int first = block * perBlock;
              int count = Math.min(perBlock, n - first);
              for (int i = 0; i < count; i++) {
                long floats = at + integers;
                WeightRows.toFloat(ctx.backend(), weight, first + i, 1, scratch, floats);
                roundRow(start + first + i, k, scratch, floats, at + (long) i * k);
              }
              sink.accept(start + first, count, scratch, at);
            }
          });
    }
  }

  private void roundRow(int row, int k, MemorySegment scratch, long floats, long integers) {
    float scale = Int8Products.quantize(scratch, floats, k, 0, scratch, integers);
    Floats.set(scales, 0, row, scale);
    int sum = Int8Products.sum(scratch, integers, k);
    sums.setAtIndex(ValueLayout.JAVA_INT, row, 128 * sum);
  }
}
