package io.gatun.tensor.ops.linear;

import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Quantization;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// The weights of a layer as those read them who compute it: made once and kept, unless there is no
/// room.
final class LinearForms {
  /// Weights for so few rows of activations, or so many, are read where they lie: the few read them
  /// once, and packing would take as long as twenty such products; for the many, oneDNN brings them
  /// into its form block by block as it goes, and is as fast.
  private static final int FEW_ROWS = 2;

  private static final int MANY_ROWS = 512;

  private enum Kind {
    BIAS,
    PACKED,
    INT8
  }

  private final Context ctx;
  private final LinearWeight w;

  LinearForms(Context ctx, LinearWeight w) {
    this.ctx = ctx;
    this.w = w;
  }

  boolean isQuantized() {
    return w.quantization() != Quantization.NONE;
  }

  /// The bias (N) as F32; null for none.
  MemorySegment bias() {
    if (w.biases().stream().allMatch(bias -> bias == null)) {
      return null;
    }
    var kept = ctx.packed().form(w, Kind.BIAS, MemorySegment.class);
    if (kept != null) {
      return kept;
    }
    var values = ctx.packed().arena().allocate(4 * w.outFeatures(), 64);
    long at = 0;
    for (int i = 0; i < w.weights().size(); i++) {
      var bias = w.biases().get(i);
      if (bias != null) {
        WeightRows.toFloat(Backend.SCALAR, bias.reshape(1, bias.size()), 0, 1, values, at);
      }
      at += 4 * w.weights().get(i).dim(0);
    }
    return ctx.packed().keep(w, Kind.BIAS, values);
  }

  /// The weights, or, where they are quantized, their integers, as oneDNN's products read them. The
  /// number of rows alone decides whether they are packed, not what was computed before: the two
  /// forms' products differ in the last bit.
  ///
  /// @param rows of activations
  PackedWeight packed(long rows) {
    boolean packs = isQuantized() || rows > FEW_ROWS && rows < MANY_ROWS;
    if (!packs && PackedWeight.canStay(ctx, w.weights())) {
      return PackedWeight.left(ctx, w.weights());
    }
    var kept = ctx.packed().form(w, Kind.PACKED, PackedWeight.class);
    if (kept == null) {
      var made =
          isQuantized()
              ? PackedWeight.left(ctx, List.of(int8().values()))
              : PackedWeight.of(ctx, w.weights());
      kept = ctx.packed().keep(w, Kind.PACKED, made);
    }
    return kept;
  }

  /// The quantized weights: packed for int8 products where these are made. They are kept beside the
  /// budget: rounding them takes longer than most products.
  Int8Weight int8() {
    var kept = ctx.packed().form(w, Kind.INT8, Int8Weight.class);
    if (kept != null) {
      return kept;
    }
    boolean packs = w.quantization() == Quantization.INT8_DYNAMIC && ctx.hasInt8();
    var made =
        packs
            ? Int8Weight.packed(ctx, w.weights(), ctx.packed().arena())
            : Int8Weight.tensor(ctx, w.weights(), ctx.packed().arena());
    return ctx.packed().keep(w, Kind.INT8, made);
  }
}
