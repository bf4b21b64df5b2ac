package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.F16_BIAS;
import static io.gatun.tensor.kernel.dense.Lanes.F16_PLACE;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.ROUND;
import static io.gatun.tensor.kernel.dense.Lanes.WORDS;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;
import static io.gatun.tensor.kernel.tiled.TiledLayout.MINIMA_GROUP_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledLayout.MINIMA_HEAD_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledLayout.SCALES_BYTES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.gatun.tensor.DType.Tiled;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/// Tiled weights as int8 with one scale a row, in panels: `[K / 4][columns][4]`, a column of which
/// is a row of the weights.
///
/// With W the greatest magnitude that a row's scales allow, the row's scale is W / 127. A group's
/// integers q become `q * factor - offset` with 8 fraction bits, of which rounding leaves the
/// integer; all arithmetic is modulo 2^16, and what comes out fits, at most 127 * 256 + 128.
public final class TiledPanels {
  private static final int BYTES = TiledProduct.VECTOR_BYTES;

  /// Bytes of the factors and offsets of a group's vector.
  private static final int FACTORS_BYTES = 2 * BYTES;

  /// Bytes of the scales and minima of a group's vector, as floats.
  private static final int MINIMA_BYTES = 4 * BYTES;

  /// Columns of a step: those with factors of their own.
  private static final int GROUP = QuantizedRows.GROUP;

  /// What a rounding shift adds before it shifts 8 fraction bits out.
  private static final int HALF = 128;

  /// About the scale of rows that are all zero, for which any will do.
  private static final float LEAST = 1e-12f;

  private TiledPanels() {}

  /// The bytes of scratch memory that [#unpack] needs for rows of so many columns.
  public static long scratchBytes(int columns) {
    return (long) columns / GROUP * (FACTORS_BYTES + MINIMA_BYTES);
  }

  /// Unpacks one tile row, 32 rows of K columns.
  ///
  /// @param w the tiles of these rows from byte `wAt`
  /// @param memory native memory for everything else; the rest are offsets into it
  /// @param first where the first 16 rows go: row r's column k goes to `first + (k / 4 * stride +
  ///   r) * 4 + k % 4`
  /// @param second where the other 16 rows go, likewise
  /// @param stride columns of a panel
  /// @param scales 32 F32: each row's scale
  /// @param scratch [#scratchBytes] bytes
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void unpack(
      Tiled type,
      MemorySegment w,
      long wAt,
      int columns,
      MemorySegment memory,
      long first,
      long second,
      int stride,
      long scales,
      long scratch) {
    long tileRow = (long) columns / type.blockSize() * type.blockBytes() * Tiled.ROWS;
    long from = address(w, wAt, tileRow);
    long panelBytes = ((columns / 4 - 1) * (long) stride + 16) * 4;
    long a = address(memory, first, panelBytes);
    long b = address(memory, second, panelBytes);
    long d = address(memory, scales, 4L * Tiled.ROWS);
    long f = address(memory, scratch, scratchBytes(columns));
    int groups = columns / GROUP;
    TiledLayout.fetch(from, tileRow, f);
    for (long part = 0; part < 64; part += BYTES) {
      long at = from + part;
      if (type.minima()) {
        factorsWithMinima(at, groups, f, d + part);
        int head = MINIMA_HEAD_BYTES + SCALES_BYTES;
        int group = MINIMA_GROUP_BYTES;
        int tile = type.blockBytes() * Tiled.ROWS;
        int4(at + head, 3, tile, group, groups, f, a + part, b + part, 4L * stride);
      } else {
        int shift = Integer.numberOfTrailingZeros(type.groupSize() / GROUP);
        int tile = type.blockBytes() * Tiled.ROWS;
        factors(type.bits(), at, shift, tile, groups, f, d + part);
        long words = at + SCALES_BYTES;
        if (type.bits() == 4) {
          int4(words, shift, tile, 512, groups, f, a + part, b + part, 4L * stride);
        } else {
          int8(words, shift, tile, 1024, groups, f, a + part, b + part, 4L * stride);
        }
      }
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(memory);
  }

  /// Scales of rows, and factors and offsets of groups, for one vector of a tile's lanes.
  ///
  /// @param w address of these lanes' scales; those of group g are `(g >> shift) * tile` behind
  /// @param f address of the factors and offsets
  /// @param d address of the rows' scales; those of odd lanes go 64 bytes behind
  private static void factors(int bits, long w, int shift, int tile, int groups, long f, long d) {
    greatest(w, tile, Math.ceilDiv(groups, 1 << shift), f);
    float factor = bits == 4 ? 8f / 127 : 1;
    for (int lane = 0; lane < BYTES / 2; lane++) {
      float scale = Math.max(LEAST, Float.float16ToFloat(ALL.get(SHORT, f + 2 * lane)) * factor);
      ALL.set(FLOAT, d + lane % 2 * TiledProduct.ODD_BYTES + lane / 2 * 4, scale);
    }
    groupFactors((short) (bits == 4 ? 8 : 0), w, shift, tile, groups, f, d);
  }

  // What follows are root kernels: they call nothing but the JDK, and no vector is passed on.

  /// The greatest magnitudes of `tiles` vectors of F16.
  private static void greatest(long w, int tile, int tiles, long to) {
    ShortVector most = ShortVector.zero(WORDS);
    for (int i = 0; i < tiles; i++) {
      long at = w + (long) i * tile & IN_BOUNDS;
      most = ShortVector.fromMemorySegment(WORDS, ALL, at, ORDER).and((short) 0x7FFF).max(most);
    }
    most.intoMemorySegment(ALL, to & IN_BOUNDS, ORDER);
  }

  private static void groupFactors(
      short zero, long w, int shift, int tile, int groups, long f, long d) {
    FloatVector all = FloatVector.broadcast(FLOATS, 256);
    FloatVector even = all.div(FloatVector.fromMemorySegment(FLOATS, ALL, d & IN_BOUNDS, ORDER));
    long dOdd = d + TiledProduct.ODD_BYTES & IN_BOUNDS;
    FloatVector odd = all.div(FloatVector.fromMemorySegment(FLOATS, ALL, dOdd, ORDER));
    for (int g = 0; g < groups; g++) {
      long at = w + (long) (g >> shift) * tile & IN_BOUNDS;
      long to = f + (long) g * FACTORS_BYTES;
      IntVector scales = IntVector.fromMemorySegment(INTS, ALL, at, ORDER);
      IntVector low =
          scales
              .lanewise(LSHL, 16)
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul(F16_BIAS)
              .mul(even)
              .add(ROUND)
              .reinterpretAsInts();
      IntVector high =
          scales
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul(F16_BIAS)
              .mul(odd)
              .add(ROUND)
              .reinterpretAsInts();
      ShortVector factor = low.and(0xFFFF).or(high.lanewise(LSHL, 16)).reinterpretAsShorts();
      factor.intoMemorySegment(ALL, to & IN_BOUNDS, ORDER);
      factor.mul(zero).sub((short) HALF).intoMemorySegment(ALL, to + BYTES & IN_BOUNDS, ORDER);
    }
  }

  /// As [#factors], for weights with minima. Their scales and minima as floats go behind the
  /// factors and offsets: for even lanes and then for odd ones, a vector for each group's scale and
  /// then for each group's minimum.
  ///
  /// @param w address of these lanes' part of the first tile
  private static void factorsWithMinima(long w, int groups, long f, long d) {
    long scales = f + (long) groups * FACTORS_BYTES;
    long bytes = (long) groups * BYTES;
    for (int lane = 0; lane < 2; lane++) {
      long at = scales + 2 * bytes * lane;
      for (int minimum = 0; minimum < 2; minimum++) {
        expandMinima(w, groups, lane, minimum, at + minimum * bytes);
      }
      rowScales(at, groups, d + lane * (long) TiledProduct.ODD_BYTES);
    }
    for (int minimum = 0; minimum < 2; minimum++) {
      long at = scales + minimum * bytes;
      minimaFactors(at, 2 * bytes, (short) (minimum * HALF), groups, f + minimum * BYTES, d);
    }
  }

  /// The groups' scales `d s` (`minimum` 0) or minima `m n` (1), in the even or the odd lanes.
  private static void expandMinima(long w, int groups, int lane, int minimum, long to) {
    for (int g = 0; g < groups; g++) {
      long tile = w + (g >> 3) * (8L * MINIMA_GROUP_BYTES + MINIMA_HEAD_BYTES);
      long pair = tile + MINIMA_HEAD_BYTES + (g & 7) * (long) MINIMA_GROUP_BYTES;
      long head = tile + (long) minimum * SCALES_BYTES;
      FloatVector six =
          (FloatVector)
              IntVector.fromMemorySegment(INTS, ALL, pair & IN_BOUNDS, ORDER)
                  .lanewise(LSHR, 16 * lane + 8 * minimum)
                  .and(0xFF)
                  .convertShape(VectorOperators.I2F, FLOATS, 0);
      IntVector.fromMemorySegment(INTS, ALL, head & IN_BOUNDS, ORDER)
          .lanewise(LSHL, 16 - 16 * lane)
          .lanewise(ASHR, 3)
          .and(F16_PLACE)
          .reinterpretAsFloats()
          .mul(F16_BIAS)
          .mul(six)
          .intoMemorySegment(ALL, to + (long) g * BYTES & IN_BOUNDS, ORDER);
    }
  }

  private static void rowScales(long scales, int groups, long d) {
    FloatVector most = FloatVector.broadcast(FLOATS, LEAST);
    long minima = scales + (long) groups * BYTES;
    for (int g = 0; g < groups; g++) {
      long at = (long) g * BYTES;
      FloatVector minimum =
          FloatVector.fromMemorySegment(FLOATS, ALL, minima + at & IN_BOUNDS, ORDER);
      FloatVector greatest =
          FloatVector.fromMemorySegment(FLOATS, ALL, scales + at & IN_BOUNDS, ORDER)
              .mul(15)
              .sub(minimum);
      most = minimum.abs().max(greatest.abs()).max(most);
    }
    most.mul(1f / 127).intoMemorySegment(ALL, d & IN_BOUNDS, ORDER);
  }

  /// Rounded floats of groups, in terms of the rows' scales.
  ///
  /// @param from address of floats for even lanes; those for odd ones are `bytes` behind
  /// @param half what is subtracted
  private static void minimaFactors(long from, long bytes, short half, int groups, long f, long d) {
    FloatVector all = FloatVector.broadcast(FLOATS, 256);
    FloatVector even = all.div(FloatVector.fromMemorySegment(FLOATS, ALL, d & IN_BOUNDS, ORDER));
    long dOdd = d + TiledProduct.ODD_BYTES & IN_BOUNDS;
    FloatVector odd = all.div(FloatVector.fromMemorySegment(FLOATS, ALL, dOdd, ORDER));
    for (int g = 0; g < groups; g++) {
      long at = from + (long) g * BYTES;
      IntVector low =
          FloatVector.fromMemorySegment(FLOATS, ALL, at & IN_BOUNDS, ORDER)
              .mul(even)
              .add(ROUND)
              .reinterpretAsInts();
      IntVector high =
          FloatVector.fromMemorySegment(FLOATS, ALL, at + bytes & IN_BOUNDS, ORDER)
              .mul(odd)
              .add(ROUND)
              .reinterpretAsInts();
      low.and(0xFFFF)
          .or(high.lanewise(LSHL, 16))
          .reinterpretAsShorts()
          .sub(half)
          .intoMemorySegment(ALL, f + (long) g * FACTORS_BYTES & IN_BOUNDS, ORDER);
    }
  }

  /// One vector of a tile's words of four nibbles, for all columns.
  ///
  /// @param w address of the first words; those of group g are `(g >> shift) * tile + (g & (1 <<
  ///   shift) - 1) * group` behind
  /// @param f address of the factors and offsets
  /// @param first address of the panel's columns for the even lanes
  /// @param second address of those for the odd lanes
  /// @param step bytes from four columns of K to the next
  private static void int4(
      long w,
      int shift,
      int tile,
      int group,
      int groups,
      long f,
      long first,
      long second,
      long step) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++) {
      long factors = f + (long) g * FACTORS_BYTES & IN_BOUNDS;
      ShortVector factor = ShortVector.fromMemorySegment(WORDS, ALL, factors, ORDER);
      ShortVector offset = ShortVector.fromMemorySegment(WORDS, ALL, factors + BYTES, ORDER);
      long from = w + (long) (g >> shift) * tile + (long) (g & mask) * group;
      for (int q = 0; q < 8; q++) {
        long at = from + q * 64 & IN_BOUNDS;
        long column = (g * 8 + q) * step;
        ShortVector v = ShortVector.fromMemorySegment(WORDS, ALL, at, ORDER);
        ShortVector t0 = v.and((short) 15).mul(factor).sub(offset);
        ShortVector t1 = v.lanewise(LSHR, 4).and((short) 15).mul(factor).sub(offset);
        ShortVector t2 = v.lanewise(LSHR, 8).and((short) 15).mul(factor).sub(offset);
        ShortVector t3 = v.lanewise(LSHR, 12).mul(factor).sub(offset);
        IntVector a = t0.lanewise(LSHR, 8).or(t1.and((short) 0xFF00)).reinterpretAsInts();
        IntVector b = t2.lanewise(LSHR, 8).or(t3.and((short) 0xFF00)).reinterpretAsInts();
        IntVector even = a.and(0xFFFF).or(b.lanewise(LSHL, 16));
        IntVector odd = a.lanewise(LSHR, 16).or(b.and(0xFFFF0000));
        even.intoMemorySegment(ALL, first + column & IN_BOUNDS, ORDER);
        odd.intoMemorySegment(ALL, second + column & IN_BOUNDS, ORDER);
      }
    }
  }

  /// As [#int4], of words of two bytes.
  private static void int8(
      long w,
      int shift,
      int tile,
      int group,
      int groups,
      long f,
      long first,
      long second,
      long step) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++) {
      long factors = f + (long) g * FACTORS_BYTES & IN_BOUNDS;
      ShortVector factor = ShortVector.fromMemorySegment(WORDS, ALL, factors, ORDER);
      ShortVector offset = ShortVector.fromMemorySegment(WORDS, ALL, factors + BYTES, ORDER);
      long from = w + (long) (g >> shift) * tile + (long) (g & mask) * group;
      for (int q = 0; q < 8; q++) {
        long at = from + q * 128 & IN_BOUNDS;
        long column = (g * 8 + q) * step;
        ShortVector v0 = ShortVector.fromMemorySegment(WORDS, ALL, at, ORDER);
        ShortVector v1 = ShortVector.fromMemorySegment(WORDS, ALL, at + 64, ORDER);
        ShortVector t0 = v0.lanewise(LSHL, 8).lanewise(ASHR, 8).mul(factor).sub(offset);
        ShortVector t1 = v0.lanewise(ASHR, 8).mul(factor).sub(offset);
        ShortVector t2 = v1.lanewise(LSHL, 8).lanewise(ASHR, 8).mul(factor).sub(offset);
        ShortVector t3 = v1.lanewise(ASHR, 8).mul(factor).sub(offset);
        IntVector a = t0.lanewise(LSHR, 8).or(t1.and((short) 0xFF00)).reinterpretAsInts();
        IntVector b = t2.lanewise(LSHR, 8).or(t3.and((short) 0xFF00)).reinterpretAsInts();
        IntVector even = a.and(0xFFFF).or(b.lanewise(LSHL, 16));
        IntVector odd = a.lanewise(LSHR, 16).or(b.and(0xFFFF0000));
        even.intoMemorySegment(ALL, first + column & IN_BOUNDS, ORDER);
        odd.intoMemorySegment(ALL, second + column & IN_BOUNDS, ORDER);
      }
    }
  }
}
