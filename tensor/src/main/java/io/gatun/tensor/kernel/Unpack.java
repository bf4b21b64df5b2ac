package io.gatun.tensor.kernel;

import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Elements.SHORT;
import static io.gatun.tensor.kernel.Lanes.COUNT;

import io.gatun.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// Weights in any storage type to F32 or BF16, by the Vector API where that pays and else by
/// [Dequantize], with the same results bit for bit (NaN payloads apart).
///
/// Segments are native: heap segments would spoil the compiled code for everybody.
public final class Unpack {
  /// Elements that are on their way to BF16 at a time: their floats stay in the first cache.
  private static final int CHUNK = 1024;

  private Unpack() {}

  /// Converts `n` elements, which lie in whole blocks from `srcByteOffset` on, to F32.
  ///
  /// @throws UnsupportedOperationException as [Dequantize#toFloat] does
  /// @throws IllegalArgumentException as [Dequantize#toFloat] does
  public static void toFloat(
      DType dtype,
      MemorySegment src,
      long srcByteOffset,
      MemorySegment dst,
      long dstByteOffset,
      long n) {
    switch (dtype) {
      case DType.Plain p -> plain(p, src, srcByteOffset, dst, dstByteOffset, n);
      case DType.Block b -> block(b, src, srcByteOffset, dst, dstByteOffset, n);
      case DType.Tiled t -> Dequantize.toFloat(t, src, srcByteOffset, dst, dstByteOffset, n);
    }
  }

  /// Converts `n` elements, which lie in whole blocks from `srcByteOffset` on, to BF16, rounding to
  /// the nearest, ties to even. A call takes a few kilobytes of memory for itself, so it should
  /// convert many rows.
  ///
  /// @throws UnsupportedOperationException as [Dequantize#toFloat] does
  /// @throws IllegalArgumentException as [Dequantize#toFloat] does
  public static void toBf16(
      DType dtype,
      MemorySegment src,
      long srcByteOffset,
      MemorySegment dst,
      long dstByteOffset,
      long n) {
    if (dtype == DType.Plain.BF16) {
      MemorySegment.copy(src, srcByteOffset, dst, dstByteOffset, n * 2);
    } else if (dtype == DType.Plain.F32) {
      floatToBf16(src, srcByteOffset, dst, dstByteOffset, n);
    } else {
      throughFloats(dtype, src, srcByteOffset, dst, dstByteOffset, n);
    }
  }

  /// Rounds `n` F32 to F16, to the nearest, ties to even.
  public static void floatToF16(
      MemorySegment src, long srcByteOffset, MemorySegment dst, long dstByteOffset, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      var v = FloatVector.fromMemorySegment(Lanes.FLOATS, src, srcByteOffset + i * 4, Lanes.ORDER);
      Lanes.storeShorts(Lanes.toF16(v), dst, dstByteOffset + i * 2);
    }
    for (; i < n; i++) {
      float v = src.get(FLOAT, srcByteOffset + i * 4);
      dst.set(SHORT, dstByteOffset + i * 2, Float.floatToFloat16(v));
    }
  }

  /// Rounds `n` F32 to BF16, to the nearest, ties to even.
  public static void floatToBf16(
      MemorySegment src, long srcByteOffset, MemorySegment dst, long dstByteOffset, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      var v = FloatVector.fromMemorySegment(Lanes.FLOATS, src, srcByteOffset + i * 4, Lanes.ORDER);
      Lanes.storeShorts(Lanes.toBf16(v), dst, dstByteOffset + i * 2);
    }
    for (; i < n; i++) {
      float v = src.get(FLOAT, srcByteOffset + i * 4);
      dst.set(SHORT, dstByteOffset + i * 2, Elements.floatToBf16(v));
    }
  }

  private static void plain(
      DType.Plain type, MemorySegment src, long from, MemorySegment dst, long to, long n) {
    switch (type) {
      case F32 -> MemorySegment.copy(src, from, dst, to, n * 4);
      case F16 -> f16ToFloat(src, from, dst, to, n);
      case BF16 -> bf16ToFloat(src, from, dst, to, n);
      case F64, F8_E4M3, F8_E5M2, F8_E8M0, F6_E2M3, F6_E3M2, F4, C64 ->
          Dequantize.toFloat(type, src, from, dst, to, n);
      case I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
          Dequantize.toFloat(type, src, from, dst, to, n);
    }
  }

  private static void block(
      DType.Block type, MemorySegment src, long from, MemorySegment dst, long to, long n) {
    long blocks = Dequantize.wholeBlocks(type, n);
    switch (type) {
      case Q4_0 -> VectorBlocks.q40(src, from, dst, to, blocks);
      case Q4_1 -> VectorBlocks.q41(src, from, dst, to, blocks);
      case Q5_0 -> VectorBlocks.q50(src, from, dst, to, blocks);
      case Q5_1 -> VectorBlocks.q51(src, from, dst, to, blocks);
      case Q8_0 -> VectorBlocks.q80(src, from, dst, to, blocks);
      case Q4_K -> VectorBlocks.q4k(src, from, dst, to, blocks);
      case Q5_K -> VectorBlocks.q5k(src, from, dst, to, blocks);
      case Q6_K -> VectorBlocks.q6k(src, from, dst, to, blocks);
      case Q8_1, Q2_K, Q3_K, Q8_K, IQ4_NL, IQ4_XS, TQ1_0, TQ2_0, MXFP4 ->
          Dequantize.toFloat(type, src, from, dst, to, n);
      case IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ3_S, IQ2_S, IQ1_M ->
          Dequantize.toFloat(type, src, from, dst, to, n);
    }
  }

  private static void f16ToFloat(
      MemorySegment src, long from, MemorySegment dst, long to, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      Lanes.store(Lanes.f16(Lanes.shorts(src, from + i * 2)), dst, to + i * 4);
    }
    for (; i < n; i++) {
      dst.set(FLOAT, to + i * 4, Float.float16ToFloat(src.get(SHORT, from + i * 2)));
    }
  }

  private static void bf16ToFloat(
      MemorySegment src, long from, MemorySegment dst, long to, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      Lanes.store(Lanes.bf16(Lanes.shorts(src, from + i * 2)), dst, to + i * 4);
    }
    for (; i < n; i++) {
      dst.set(FLOAT, to + i * 4, Elements.bf16ToFloat(src.get(SHORT, from + i * 2)));
    }
  }

  private static void throughFloats(
      DType dtype, MemorySegment src, long from, MemorySegment dst, long to, long n) {
    try (var arena = Arena.ofConfined()) {
      var floats = arena.allocate(CHUNK * 4L, 64);
      for (long i = 0; i < n; i += CHUNK) {
        long count = Math.min(CHUNK, n - i);
        toFloat(dtype, src, from + i / dtype.blockSize() * dtype.blockBytes(), floats, 0, count);
        floatToBf16(floats, 0, dst, to + i * 2, count);
      }
    }
  }
}
