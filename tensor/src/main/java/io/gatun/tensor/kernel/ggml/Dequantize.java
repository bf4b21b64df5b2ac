package io.gatun.tensor.kernel.ggml;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.PlainTypes;
import java.lang.foreign.MemorySegment;

/// Every storage type to F32, one element at a time: the reference that the vector kernels of
/// [Unpack] are tested against. Block types give bit for bit what ggml's `dequantize_row_*` gives.
public final class Dequantize {
  private Dequantize() {}

  /// Converts `n` elements, which lie in whole blocks from `srcByteOffset` on, to F32.
  ///
  /// @throws UnsupportedOperationException if Gatun cannot compute with the type; the message says
  ///   what to do
  /// @throws IllegalArgumentException if `n` is not a whole number of blocks, or the type is tiled,
  ///   whose rows do not follow each other: see [io.gatun.tensor.kernel.tiled.TiledLayout#toFloat],
  ///   or has its scales elsewhere: see [Mxfp4#pairsToFloat]
  public static void toFloat(
      DType dtype,
      MemorySegment src,
      long srcByteOffset,
      MemorySegment dst,
      long dstByteOffset,
      long n) {
    long blocks = wholeBlocks(dtype, n);
    // No switch over types on a first answer's way: Java makes a class for each, in milliseconds.
    if (dtype instanceof DType.Plain p) {
      PlainTypes.toFloat(p, src, srcByteOffset, dst, dstByteOffset, n);
    } else if (dtype instanceof DType.Block b) {
      block(b, src, srcByteOffset, dst, dstByteOffset, blocks);
    } else {
      throw refused(dtype);
    }
  }

  /// Whether [#toFloat] (or, for a tiled type, [io.gatun.tensor.kernel.tiled.TiledLayout#toFloat])
  /// can convert the type.
  public static boolean supports(DType dtype) {
    return dtype != DType.Plain.C64
        && dtype != DType.Block.MXFP4_PAIRS
        && !(dtype instanceof DType.Unknown);
  }

  private static RuntimeException refused(DType type) {
    return type instanceof DType.Tiled
        ? new IllegalArgumentException(type.name() + " is tiled: its rows do not lie in order")
        : new UnsupportedOperationException(
            "Gatun does not know %s; use the same model in Q4_K, Q4_0 or Q8_0"
                .formatted(type.name()));
  }

  /// @throws IllegalArgumentException if `n` elements are not whole blocks
  static long wholeBlocks(DType dtype, long n) {
    if (n % dtype.blockSize() != 0) {
      throw new IllegalArgumentException(
          "%d elements are not whole %s blocks of %d"
              .formatted(n, dtype.name(), dtype.blockSize()));
    }
    return n / dtype.blockSize();
  }

  private static void block(
      DType.Block type, MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    switch (type) {
      case Q4_0 -> Blocks32.q40(src, from, dst, to, blocks);
      case Q4_1 -> Blocks32.q41(src, from, dst, to, blocks);
      case Q5_0 -> Blocks32.q50(src, from, dst, to, blocks);
      case Q5_1 -> Blocks32.q51(src, from, dst, to, blocks);
      case Q8_0 -> Blocks32.q80(src, from, dst, to, blocks);
      case Q8_1 -> Blocks32.q81(src, from, dst, to, blocks);
      case IQ4_NL -> Blocks32.iq4nl(src, from, dst, to, blocks);
      case MXFP4 -> Blocks32.mxfp4(src, from, dst, to, blocks);
      case Q2_K -> Blocks256.q2k(src, from, dst, to, blocks);
      case Q3_K -> Blocks256.q3k(src, from, dst, to, blocks);
      case Q4_K -> Blocks256.q4k(src, from, dst, to, blocks);
      case Q5_K -> Blocks256.q5k(src, from, dst, to, blocks);
      case Q6_K -> Blocks256.q6k(src, from, dst, to, blocks);
      case Q8_K -> Blocks256.q8k(src, from, dst, to, blocks);
      case IQ4_XS -> Blocks256.iq4xs(src, from, dst, to, blocks);
      case TQ1_0 -> Blocks256.tq10(src, from, dst, to, blocks);
      case TQ2_0 -> Blocks256.tq20(src, from, dst, to, blocks);
      case MXFP4_PAIRS ->
          throw new IllegalArgumentException(type.name() + " has its scales in another tensor");
      case CODE4 -> codes(src, from, dst, to, blocks);
      case IQ2_XXS -> GridBlocks.iq2xxs(src, from, dst, to, blocks);
      case IQ2_XS -> GridBlocks.iq2xs(src, from, dst, to, blocks);
      case IQ2_S -> GridBlocks.iq2s(src, from, dst, to, blocks);
      case IQ3_XXS -> GridBlocks.iq3xxs(src, from, dst, to, blocks);
      case IQ3_S -> GridBlocks.iq3s(src, from, dst, to, blocks);
      case IQ1_S -> GridBlocks.iq1s(src, from, dst, to, blocks);
      case IQ1_M -> GridBlocks.iq1m(src, from, dst, to, blocks);
      case NVFP4 -> SmallBlocks.nvfp4(src, from, dst, to, blocks);
      case Q1_0 -> SmallBlocks.q10(src, from, dst, to, blocks);
      case Q2_0 -> SmallBlocks.q20(src, from, dst, to, blocks);
    }
  }

  /// Codes themselves: what they stand for is elsewhere.
  private static void codes(MemorySegment src, long from, MemorySegment dst, long to, long bytes) {
    for (long i = 0; i < bytes; i++) {
      int both = src.get(Floats.BYTE, from + i);
      dst.set(Floats.FLOAT, to + 8 * i, both >> 4 & 15);
      dst.set(Floats.FLOAT, to + 8 * i + 4, both & 15);
    }
  }
}
