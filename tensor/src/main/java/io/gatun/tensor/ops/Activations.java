package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Int8Products;
import io.gatun.tensor.kernel.QuantizedRows;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// The activations of one product (T, K), in the forms that kernels want; each is made once, when
/// first asked for, in the step's workspace.
final class Activations {
  private final Ops ops;
  private final MemorySegment f32;
  private final int rows;
  private final int columns;
  private MemorySegment bf16;
  private U8 u8;
  private final MemorySegment[] quantized = new MemorySegment[9];

  /// Activations as u8 with zero point 128.
  ///
  /// @param values (T, K) bytes
  /// @param scales one F32 a row
  record U8(MemorySegment values, MemorySegment scales) {}

  Activations(Ops ops, Tensor x) {
    this.ops = ops;
    f32 = x.segment();
    columns = Math.toIntExact(x.dim(-1));
    rows = Math.toIntExact(x.size() / columns);
  }

  int rows() {
    return rows;
  }

  int columns() {
    return columns;
  }

  MemorySegment f32() {
    return f32;
  }

  MemorySegment bf16() {
    if (bf16 == null) {
      bf16 = ops.workspace().take(2L * rows * columns);
      ops.workers()
          .forEach(
              rows,
              Ops.grain(columns),
              (worker, from, to) ->
                  Unpack.toBf16(
                      DType.Plain.F32,
                      f32,
                      4 * from * columns,
                      bf16,
                      2 * from * columns,
                      (to - from) * columns));
    }
    return bf16;
  }

  /// Rows of 8-bit integers by groups of 32, as [QuantizedRows] makes them for weights of `bits`.
  MemorySegment quantized(int bits) {
    if (quantized[bits] == null) {
      long rowBytes = QuantizedRows.rowBytes(columns);
      var q = ops.workspace().take(rows * rowBytes);
      ops.workers()
          .forEach(
              rows,
              Ops.grain(columns),
              (worker, from, to) -> {
                for (long t = from; t < to; t++) {
                  QuantizedRows.quantize(f32, 4 * t * columns, q, t * rowBytes, columns, bits);
                }
              });
      quantized[bits] = q;
    }
    return quantized[bits];
  }

  U8 u8() {
    if (u8 == null) {
      u8 = new U8(ops.workspace().take((long) rows * columns), ops.workspace().take(4L * rows));
      ops.workers()
          .forEach(
              rows,
              Ops.grain(columns),
              (worker, from, to) -> {
                for (long t = from; t < to; t++) {
                  float scale =
                      Int8Products.quantize(
                          f32, 4 * t * columns, columns, 128, u8.values, t * columns);
                  Floats.set(u8.scales, 0, t, scale);
                }
              });
    }
    return u8;
  }
}
