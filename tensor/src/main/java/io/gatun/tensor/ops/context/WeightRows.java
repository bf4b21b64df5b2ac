package io.gatun.tensor.ops.context;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.Mxfp4;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.tiled.TiledLayout;
import io.gatun.tensor.kernel.tiled.TiledRows;
import io.gatun.tensor.ops.Backend;
import java.lang.foreign.MemorySegment;

/// Rows of a weight (N, K) of any type as F32 or BF16.
public final class WeightRows {
  private WeightRows() {}

  /// The rows `ids` of a table (V, D), which may have gaps, as F32 (T, D).
  ///
  /// @throws IndexOutOfBoundsException if an id is not a row of the table
  public static Tensor gather(Context ctx, int[] ids, Tensor table) {
    Check.rank("table", table, 2);
    long d = table.dim(1);
    var out = ctx.f32(ids.length, d);
    for (int t = 0; t < ids.length; t++) {
      Check.index("token id", ids[t], table.dim(0));
      if (table.isContiguous()) {
        toFloat(ctx.backend(), table, ids[t], 1, out.segment(), 4L * t * d);
        continue;
      }
      try (var _ = ctx.scope()) {
        var row = ctx.dense(table.slice(0, ids[t], ids[t] + 1));
        toFloat(ctx.backend(), row, 0, 1, out.segment(), 4L * t * d);
      }
    }
    return out;
  }

  /// Writes `count` rows from `row` on to `dst`, from byte `at` on.
  public static void toFloat(
      Backend backend, Tensor w, long row, int count, MemorySegment dst, long at) {
    long k = w.dim(1);
    var type = w.dtype();
    if (w.dequantization() != null) {
      dequantize(backend, w, row, count, dst, at);
      return;
    }
    if (type instanceof DType.Tiled tiled) {
      if (backend == Backend.SCALAR) {
        TiledLayout.toFloat(tiled, w.segment(), k, row, row + count, dst, at);
      } else {
        TiledRows.toFloat(tiled, w.segment(), k, row, row + count, dst, at);
      }
      return;
    }
    if (w.scales() != null) {
      var scales = w.scales().segment();
      long group = row * k / type.blockSize();
      long groups = count * k / type.blockSize();
      switch (backend) {
        case SCALAR -> Mxfp4.scalarPairsToFloat(w.segment(), scales, group, groups, dst, at);
        case VECTOR, NATIVE -> Mxfp4.pairsToFloat(w.segment(), scales, group, groups, dst, at);
      }
      return;
    }
    long from = row * k / type.blockSize() * type.blockBytes();
    switch (backend) {
      case SCALAR -> Dequantize.toFloat(type, w.segment(), from, dst, at, count * k);
      case VECTOR, NATIVE -> Unpack.toFloat(type, w.segment(), from, dst, at, count * k);
    }
  }

  private static void dequantize(
      Backend backend, Tensor w, long row, int count, MemorySegment dst, long at) {
    var how = w.dequantization();
    int k = Math.toIntExact(w.dim(1));
    boolean fast = backend != Backend.SCALAR && ScaledRows.supports(w);
    boolean values = how.scales() == null && how.levels() == null && how.factor() == 1;
    if (!fast) {
      toFloat(backend, w.dequantized(null), row, count, dst, at);
    }
    for (long i = 0; i < count; i++) {
      long to = at + 4 * i * k;
      if (fast) {
        ScaledRows.scaled(w, row + i, dst, to);
      }
      if (fast || values) {
        how.finish(row + i, dst, to, k);
      } else {
        how.apply(row + i, dst, to, k);
      }
    }
  }

  /// Writes `count` rows from `row` on to the start of `dst` as BF16.
  ///
  /// @param floats room for the rows as F32, from byte `at` on
  public static void toBf16(
      Tensor w, long row, int count, MemorySegment dst, MemorySegment floats, long at) {
    long k = w.dim(1);
    var type = w.dtype();
    if (type instanceof DType.Tiled || w.scales() != null || w.dequantization() != null) {
      toFloat(Backend.NATIVE, w, row, count, floats, at);
      Unpack.toBf16(DType.Plain.F32, floats, at, dst, 0, count * k);
    } else {
      long from = row * k / type.blockSize() * type.blockBytes();
      Unpack.toBf16(type, w.segment(), from, dst, 0, count * k);
    }
  }

  /// The type from which oneDNN packs a weight where it lies, or null if it has to be converted
  /// before. It rounds to BF16 as [#toBf16] does, except that numbers below 2^-126 become 0. BF16
  /// it reads one by one where the CPU has no instructions for that type, a hundred times slower.
  public static ElementType packsFrom(Tensor w) {
    if (w.dtype() == DType.Plain.F32) {
      return ElementType.F32;
    }
    boolean direct = w.dtype() == DType.Plain.BF16 && OneDnn.supports(ElementType.BF16);
    return direct ? ElementType.BF16 : null;
  }
}
