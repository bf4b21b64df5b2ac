package io.gatun.tensor.ops.linear;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scaled.CodeDots;
import io.gatun.tensor.kernel.tiled.QuantizedRows;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import io.gatun.tensor.ops.context.RowOffsets;
import io.gatun.tensor.ops.rows.Elementwise;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;

/// The input (T, K) of products with weights, in the forms that kernels want. Each is made once,
/// when first asked for, in the step's workspace: use it in the scope in which it was made.
///
/// The input may be an RMSNorm's result, which then is never stored as such unless a kernel wants
/// it so: each row is normalized and rounded while it is in the caches.
public final class Input {
  private final Context ctx;
  private final Tensor x;
  private final RowOffsets offsets;
  private final Norm norm;
  private final int rows;
  private final int columns;
  private MemorySegment f32;
  private MemorySegment bf16;
  private U8 u8;
  private final MemorySegment[] quantized = new MemorySegment[9];
  private final MemorySegment[] codeOrder = new MemorySegment[2];
  private final Map<Long, Tensor> groupSums = new HashMap<>();
  private final IdentityHashMap<Tensor, Input> ordered = new IdentityHashMap<>();

  /// What makes a row of x a row of the input.
  private record Norm(MemorySegment weight, float eps) {}

  /// The input as u8 with zero point 128.
  ///
  /// @param values (T, K) bytes, with more rows among them: see [Panels#u8Row]
  record U8(MemorySegment values, MemorySegment scales) {}

  private Input(Context ctx, Tensor x, Norm norm) {
    this.ctx = ctx;
    this.x = x;
    this.norm = norm;
    offsets = new RowOffsets(x);
    columns = Math.toIntExact(offsets.columns());
    rows = Math.toIntExact(offsets.count());
    if (norm == null && x.dtype() == DType.Plain.F32 && x.isContiguous()) {
      f32 = x.segment();
    }
    if (x.dtype() == DType.Plain.BF16 && x.isContiguous()) {
      bf16 = x.segment();
    }
  }

  /// x (..., K) as it is, F32 or BF16; rows may be apart.
  public static Input of(Context ctx, Tensor x) {
    return new Input(ctx, x, null);
  }

  /// The RMSNorm of x (..., K) F32, without gaps.
  public static Input normed(Context ctx, Tensor x, Tensor weight, float eps) {
    Check.f32("x", x);
    Check.f32("weight", weight);
    Check.same("weight", weight.size(), "columns", x.dim(-1));
    return new Input(ctx, x, new Norm(weight.segment(), eps));
  }

  /// A copy, F32, with each row rounded to 8 bits: for the reference.
  Input roundedTo8Bits() {
    var copy = ctx.f32(rows, columns);
    try (var _ = ctx.scope()) {
      var bytes = ctx.perWorker(columns);
      forEachRow(
          (worker, t, row, at) -> {
            long from = (long) worker * columns;
            long to = 4 * t * columns;
            var kernels = ctx.kernels();
            float scale = kernels.quantize(row, at, columns, 0, bytes, from);
            Dequantize.toFloat(DType.Plain.I8, bytes, from, copy.segment(), to, columns);
            kernels.scale(copy.segment(), to, scale, columns, copy.segment(), to);
          });
    }
    return of(ctx, copy);
  }

  /// T.
  public int rows() {
    return rows;
  }

  /// K.
  public int columns() {
    return columns;
  }

  /// The input as a tensor (T, K), F32.
  public Tensor tensor() {
    return Tensor.of(f32(), DType.Plain.F32, Shape.of(rows, columns));
  }

  /// (T, K) F32.
  MemorySegment f32() {
    if (f32 == null && norm == null) {
      f32 = Elementwise.cast(ctx, x, DType.Plain.F32).segment();
    }
    if (f32 == null) {
      var normed = ctx.workspace().take(4L * rows * columns);
      ctx.each(rows, Context.grain(columns), (worker, t) -> toFloat(t, normed, 4 * t * columns));
      f32 = normed;
    }
    return f32;
  }

  /// (T, K) BF16.
  MemorySegment bf16() {
    if (bf16 == null) {
      var rounded = ctx.workspace().take(2L * rows * columns);
      forEachRow((_, t, row, at) -> Unpack.floatToBf16(row, at, rounded, 2 * t * columns, columns));
      bf16 = rounded;
    }
    return bf16;
  }

  /// Rows of 8-bit integers by groups of 32, as [QuantizedRows] makes them for weights of `bits`.
  MemorySegment quantized(int bits) {
    if (quantized[bits] == null) {
      var q = ctx.workspace().take(rows * QuantizedRows.rowBytes(columns));
      forEachRow(
          (_, t, row, at) -> QuantizedRows.quantize(row, at, q, (int) t, rows, columns, bits));
      quantized[bits] = q;
    }
    return quantized[bits];
  }

  /// Rows of [CodeDots#orderedColumns] F32 in the order of [CodeDots#order].
  MemorySegment inCodeOrder(boolean highFirst) {
    int form = highFirst ? 1 : 0;
    if (codeOrder[form] == null) {
      long rowBytes = 4L * CodeDots.orderedColumns(columns);
      var out = ctx.workspace().take(rows * rowBytes);
      forEachRow((_, t, row, at) -> CodeDots.order(row, at, columns, highFirst, out, t * rowBytes));
      codeOrder[form] = out;
    }
    return codeOrder[form];
  }

  /// The sums (T, G) F32 of G groups of columns.
  Tensor groupSums(long groups) {
    return groupSums.computeIfAbsent(
        groups,
        _ -> {
          var values = f32();
          var sums = ctx.f32(rows, groups);
          int size = Math.toIntExact(columns / groups);
          var ones = ctx.f32(size).segment();
          for (long k = 0; k < size; k++) {
            Floats.set(ones, 0, k, 1);
          }
          ctx.each(
              rows,
              Context.grain(columns),
              (worker, t) -> {
                for (long g = 0; g < groups; g++) {
                  long at = 4 * (t * columns + g * size);
                  float sum = ctx.kernels().dot(values, at, ones, 0, size);
                  Floats.set(sums.segment(), 0, t * groups + g, sum);
                }
              });
          return sums;
        });
  }

  /// The same with columns in another order.
  ///
  /// @param order (K) I32: column k is this one's `order[k]`
  Input ordered(Tensor order) {
    return ordered.computeIfAbsent(
        order,
        _ -> {
          var values = f32();
          var out = ctx.f32(rows, columns);
          ctx.each(
              rows,
              Context.grain(columns),
              (worker, t) -> {
                for (long k = 0; k < columns; k++) {
                  int from = order.segment().get(Floats.INT, 4 * k);
                  float v = Floats.get(values, 0, t * columns + from);
                  Floats.set(out.segment(), 0, t * columns + k, v);
                }
              });
          return of(ctx, out);
        });
  }

  U8 u8() {
    if (u8 == null) {
      var values = ctx.workspace().take(Panels.u8Rows(rows) * columns);
      var scales = ctx.workspace().take(4L * rows);
      forEachRow(
          (_, t, row, at) -> {
            long to = Panels.u8Row(t) * columns;
            float scale = ctx.kernels().quantize(row, at, columns, 128, values, to);
            Floats.set(scales, 0, t, scale);
            if (t == rows - 1 || (t + 1) % Panels.ROWS == 0) {
              values.asSlice(to + columns, columns).fill((byte) 128);
            }
          });
      u8 = new U8(values, scales);
    }
    return u8;
  }

  /// Rows at even distances, in the type they have.
  ///
  /// @param distance elements from each row's start to the next one's
  record Rows(MemorySegment memory, int distance) {}

  Rows even() {
    boolean even = offsets.distance() >= columns;
    var memory = even ? x.segment() : Elementwise.cast(ctx, x, (DType.Plain) x.dtype()).segment();
    return new Rows(memory, even ? Math.toIntExact(offsets.distance()) : columns);
  }

  /// Handles row `t` of the input, F32 from byte `at` of `row` on.
  private interface RowKernel {
    void run(int worker, long t, MemorySegment row, long at);
  }

  private void forEachRow(RowKernel kernel) {
    try (var _ = ctx.scope()) {
      long stride = 4L * columns + 63 & -64;
      boolean direct = f32 != null || (norm == null && x.dtype() == DType.Plain.F32);
      var scratch = direct ? null : ctx.perWorker(stride);
      ctx.each(
          rows,
          Context.grain(columns),
          (worker, t) -> {
            if (f32 != null) {
              kernel.run(worker, t, f32, 4 * t * columns);
            } else if (direct) {
              kernel.run(worker, t, x.segment(), 4 * offsets.element(t));
            } else {
              toFloat(t, scratch, worker * stride);
              kernel.run(worker, t, scratch, worker * stride);
            }
          });
    }
  }

  private void toFloat(long t, MemorySegment out, long at) {
    long element = offsets.element(t);
    if (norm == null) {
      RowMap.load(ctx.backend(), x, element, columns, out, at);
      return;
    }
    ctx.kernels().rmsNorm(x.segment(), 4 * element, norm.weight, 0, norm.eps, columns, out, at);
  }
}
