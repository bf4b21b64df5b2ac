package io.gatun.tensor.ops.linear;

import io.gatun.ffm.MappedFiles;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.Int8Rows;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// A weight (N, K) rounded to 8 bits, with one scale for each row.
///
/// @param values (N, K) I8
/// @param packed the same for oneDNN's products; null where there are none
/// @param scales N F32
/// @param sums N I32: the sums of the rows' integers, times 128
record Int8Weight(Tensor values, PackedWeight packed, MemorySegment scales, MemorySegment sums) {
  /// Rounds weights, one above the other.
  static Int8Weight tensor(Context ctx, List<Tensor> weights, SegmentAllocator memory) {
    ctx.packed().count();
    return round(ctx, weights, memory, memory);
  }

  /// Rounds and packs weights. The values as a tensor are gone at the end of the scope.
  static Int8Weight packed(Context ctx, List<Tensor> weights, SegmentAllocator memory) {
    var w = round(ctx, weights, (size, _) -> ctx.workspace().take(size), memory);
    return new Int8Weight(null, PackedWeight.int8(ctx, w.values, memory), w.scales, w.sums);
  }

  private static Int8Weight round(
      Context ctx, List<Tensor> weights, SegmentAllocator values, SegmentAllocator memory) {
    long n = weights.stream().mapToLong(w -> w.dim(0)).sum();
    long k = weights.getFirst().dim(1);
    var result =
        new Int8Weight(
            Tensor.of(values.allocate(n * k, 64), DType.Plain.I8, Shape.of(n, k)),
            null,
            memory.allocate(4 * n, 64),
            memory.allocate(4 * n, 64));
    long first = 0;
    for (var weight : weights) {
      result.round(ctx, weight, first);
      MappedFiles.unload(weight.segment());
      first += weight.dim(0);
    }
    return result;
  }

  /// Rounds the rows of `weight`, which are this one's from `first` on.
  private void round(Context ctx, Tensor weight, long first) {
    int k = Math.toIntExact(weight.dim(1));
    try (var _ = ctx.scope()) {
      var scratch = ctx.perWorker(4L * k);
      ctx.each(
          weight.dim(0),
          1,
          (worker, row) -> {
            long floats = 4L * k * worker;
            long to = (first + row) * k;
            WeightRows.toFloat(ctx.backend(), weight, row, 1, scratch, floats);
            float scale = ctx.kernels().quantize(scratch, floats, k, 0, values.segment(), to);
            Floats.set(scales, 0, first + row, scale);
            int sum = Int8Rows.sum(values.segment(), to, k);
            sums.setAtIndex(ValueLayout.JAVA_INT, first + row, 128 * sum);
          });
    }
  }
}
