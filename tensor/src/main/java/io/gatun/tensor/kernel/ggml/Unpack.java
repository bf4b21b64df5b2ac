package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.SHORTS;
import static io.gatun.tensor.kernel.dense.Lanes.storeShorts;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.dense.FirstCalls;
import io.gatun.tensor.kernel.dense.Lanes;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.PlainTypes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/// Weights in any storage type to F32 or BF16, by the Vector API where that pays and else by
/// [Dequantize], with the same results bit for bit (NaN payloads apart).
///
/// Segments are native, and their arenas stay open during a call.
public final class Unpack {
  /// Elements that are on their way to BF16 at a time: their floats stay in the first cache.
  private static final int CHUNK = 4096;

  /// So many F16 or BF16 become F32 soonest one by one as long as kernels are being compiled.
  private static final long FIRST = 1 << 16;

  private Unpack() {}

  /// Converts `n` elements, which lie in whole blocks from `srcByteOffset` on, to F32.
  ///
  /// @throws UnsupportedOperationException as [Dequantize#toFloat] does
  /// @throws IllegalArgumentException as [Dequantize#toFloat] does, or if a segment is on the heap
  /// @throws IndexOutOfBoundsException if a segment is too small
  public static void toFloat(
      DType dtype,
      MemorySegment src,
      long srcByteOffset,
      MemorySegment dst,
      long dstByteOffset,
      long n) {
    long from = address(src, srcByteOffset, storedBytes(dtype, n));
    long to = address(dst, dstByteOffset, n * 4);
    try {
      boolean oneByOne = PlainTypes.isHalf(dtype) && n <= FIRST && FirstCalls.isServed();
      boolean done =
          !oneByOne
              && switch (dtype) {
                case DType.Plain p -> plain(p, from, to, n);
                case DType.Block b -> block(b, from, to, n / b.blockSize());
                case DType.Tiled t -> false;
                case DType.Unknown u -> false;
              };
      if (!done) {
        Dequantize.toFloat(dtype, src, srcByteOffset, dst, dstByteOffset, n);
      }
    } finally {
      // Until here the collector must not free the memory, of which only the addresses were used.
      Reference.reachabilityFence(src);
      Reference.reachabilityFence(dst);
    }
  }

  /// Converts `n` elements, which lie in whole blocks from `srcByteOffset` on, to BF16, rounding to
  /// the nearest, ties to even. A call takes a few kilobytes of memory for itself, so it should
  /// convert many rows.
  ///
  /// @throws UnsupportedOperationException as [Dequantize#toFloat] does
  /// @throws IllegalArgumentException as [#toFloat] does
  /// @throws IndexOutOfBoundsException if a segment is too small
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
    } else if (dtype == DType.Plain.F16) {
      f16ToBf16(src, srcByteOffset, dst, dstByteOffset, n);
    } else {
      throughFloats(dtype, src, srcByteOffset, dst, dstByteOffset, n);
    }
  }

  private static void throughFloats(
      DType dtype, MemorySegment src, long from, MemorySegment dst, long to, long n) {
    try (var arena = Arena.ofConfined()) {
      var floats = arena.allocate(CHUNK * 4L, 64);
      for (long i = 0; i < n; i += CHUNK) {
        long count = Math.min(CHUNK, n - i);
        toFloat(dtype, src, from + storedBytes(dtype, i), floats, 0, count);
        floatToBf16(floats, 0, dst, to + i * 2, count);
      }
    }
  }

  /// Rounds `n` F32 to BF16, to the nearest, ties to even.
  ///
  /// @throws IllegalArgumentException if a segment is on the heap
  /// @throws IndexOutOfBoundsException if a segment is too small
  public static void floatToBf16(
      MemorySegment src, long srcByteOffset, MemorySegment dst, long dstByteOffset, long n) {
    long from = address(src, srcByteOffset, n * 4);
    long to = address(dst, dstByteOffset, n * 2);
    try {
      floatToBf16(from, to, n);
    } finally {
      Reference.reachabilityFence(src);
      Reference.reachabilityFence(dst);
    }
  }

  private static void f16ToBf16(
      MemorySegment src, long srcByteOffset, MemorySegment dst, long dstByteOffset, long n) {
    long from = address(src, srcByteOffset, n * 2);
    long to = address(dst, dstByteOffset, n * 2);
    try {
      f16ToBf16(from, to, n);
    } finally {
      Reference.reachabilityFence(src);
      Reference.reachabilityFence(dst);
    }
  }

  /// Rounds `n` F32 to F16, to the nearest, ties to even.
  ///
  /// @throws IllegalArgumentException if a segment is on the heap
  /// @throws IndexOutOfBoundsException if a segment is too small
  public static void floatToF16(
      MemorySegment src, long srcByteOffset, MemorySegment dst, long dstByteOffset, long n) {
    long from = address(src, srcByteOffset, n * 4);
    long to = address(dst, dstByteOffset, n * 2);
    try {
      floatToF16(from, to, n);
    } finally {
      Reference.reachabilityFence(src);
      Reference.reachabilityFence(dst);
    }
  }

  /// Whether there is a kernel for the type; if so, the work is done.
  private static boolean plain(DType.Plain type, long from, long to, long n) {
    switch (type) {
      case F32 -> MemorySegment.copy(ALL, from, ALL, to, n * 4);
      case F16 -> f16ToFloat(from, to, n);
      case BF16 -> bf16ToFloat(from, to, n);
      case I8 -> i8ToFloat(from, to, n);
      case F64,
          F8_E4M3,
          F8_E5M2,
          F8_E8M0,
          F6_E2M3,
          F6_E3M2,
          F4,
          C64,
          I64,
          I32,
          I16,
          U64,
          U32,
          U16,
          U8,
          BOOL -> {
        return false;
      }
    }
    return true;
  }

  /// Whether there is a kernel for the type; if so, the work is done.
  private static boolean block(DType.Block type, long from, long to, long blocks) {
    switch (type) {
      case Q4_0 -> VectorBlocks.q40(from, to, blocks);
      case Q4_1 -> VectorBlocks.q41(from, to, blocks);
      case Q5_0 -> VectorBlocks.q50(from, to, blocks);
      case Q5_1 -> VectorBlocks.q51(from, to, blocks);
      case Q8_0 -> VectorBlocks.q80(from, to, blocks);
      case Q4_K -> VectorBlocks.q4k(from, to, blocks);
      case Q5_K -> VectorBlocks.q5k(from, to, blocks);
      case Q6_K -> VectorBlocks.q6k(from, to, blocks);
      case MXFP4 -> Mxfp4.unpack(from, to, blocks);
      default -> {
        if (!BlockDots.supports(type, type.blockSize())) {
          return false;
        }
        try (var arena = Arena.ofConfined()) {
          int columns = BlockDots.elementsAtOnce(type);
          long scratch = arena.allocate(BlockDots.scratchBytes(columns), 64).address();
          BlockDots.unpack(type, from, blocks, to, scratch);
        }
      }
    }
    return true;
  }

  private static void f16ToFloat(long from, long to, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      Lanes.f16(
              ((IntVector)
                  ShortVector.fromMemorySegment(SHORTS, ALL, from + i * 2 & IN_BOUNDS, ORDER)
                      .convertShape(VectorOperators.S2I, INTS, 0)))
          .intoMemorySegment(ALL, to + i * 4 & IN_BOUNDS, ORDER);
    }
    for (; i < n; i++) {
      ALL.set(FLOAT, to + i * 4, Lanes.f16(from + i * 2));
    }
  }

  private static void f16ToBf16(long from, long to, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      storeShorts(
          Lanes.toBf16(
              Lanes.f16(
                  ((IntVector)
                      ShortVector.fromMemorySegment(SHORTS, ALL, from + i * 2 & IN_BOUNDS, ORDER)
                          .convertShape(VectorOperators.S2I, INTS, 0)))),
          to + i * 2);
    }
    for (; i < n; i++) {
      ALL.set(SHORT, to + i * 2, Floats.floatToBf16(Lanes.f16(from + i * 2)));
    }
  }

  private static void bf16ToFloat(long from, long to, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      ((IntVector)
              ShortVector.fromMemorySegment(SHORTS, ALL, from + i * 2 & IN_BOUNDS, ORDER)
                  .convertShape(VectorOperators.S2I, INTS, 0))
          .lanewise(VectorOperators.LSHL, 16)
          .reinterpretAsFloats()
          .intoMemorySegment(ALL, to + i * 4 & IN_BOUNDS, ORDER);
    }
    for (; i < n; i++) {
      ALL.set(FLOAT, to + i * 4, Floats.bf16ToFloat(ALL.get(SHORT, from + i * 2)));
    }
  }

  private static void i8ToFloat(long from, long to, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      Lanes.store(Lanes.toFloat(Lanes.bytes(from + i)), to + i * 4);
    }
    for (; i < n; i++) {
      ALL.set(FLOAT, to + i * 4, ALL.get(BYTE, from + i));
    }
  }

  private static void floatToBf16(long from, long to, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      storeShorts(
          Lanes.toBf16(FloatVector.fromMemorySegment(FLOATS, ALL, from + i * 4 & IN_BOUNDS, ORDER)),
          to + i * 2);
    }
    for (; i < n; i++) {
      ALL.set(SHORT, to + i * 2, Floats.floatToBf16(ALL.get(FLOAT, from + i * 4)));
    }
  }

  private static void floatToF16(long from, long to, long n) {
    long i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      storeShorts(
          Lanes.toF16(FloatVector.fromMemorySegment(FLOATS, ALL, from + i * 4 & IN_BOUNDS, ORDER)),
          to + i * 2);
    }
    for (; i < n; i++) {
      ALL.set(SHORT, to + i * 2, Float.floatToFloat16(ALL.get(FLOAT, from + i * 4)));
    }
  }

  private static long storedBytes(DType dtype, long n) {
    return Dequantize.wholeBlocks(dtype, n) * dtype.blockBytes();
  }
}
