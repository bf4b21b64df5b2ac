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
import static io.gatun.tensor.kernel.tiled.TiledLayout.PAIRS_GROUP_BYTES;
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
      if (type.form() != Tiled.Form.PLAIN) {
        factorsOfPairs(type, at, groups, f, d + part);
        long words = at + TiledLayout.headBytes(type) + SCALES_BYTES;
        int tile = type.blockBytes() * Tiled.ROWS;
        if (type.hasLevels()) {
          long table = TiledLevels.table(type.form());
          levels(words, tile, table, groups, f, a + part, b + part, 4L * stride);
        } else {
          int group = PAIRS_GROUP_BYTES;
          int4(words, 3, tile, group, groups, f, a + part, b + part, 4L * stride);
        }
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

  /// As [#factors], for weights with pairs of bytes: of a scale and a minimum, or of the scales of
  /// the first and the last sixteen columns, which are both factors. As floats these two go behind
  /// the factors and offsets: for even lanes and then for odd ones, a vector for each group's first
  /// one and then for each group's second one.
  ///
  /// @param w address of these lanes' part of the first tile
  private static void factorsOfPairs(Tiled type, long w, int groups, long f, long d) {
    long scales = f + (long) groups * FACTORS_BYTES;
    long bytes = (long) groups * BYTES;
    int head = TiledLayout.headBytes(type);
    for (int lane = 0; lane < 2; lane++) {
      long at = scales + 2 * bytes * lane;
      long rows = d + lane * (long) TiledProduct.ODD_BYTES;
      for (int second = 0; second < 2; second++) {
        expand(w, head, groups, lane, second, type.minima() ? 0xFF : -1, at + second * bytes);
      }
      if (type.minima()) {
        rowScales(at, groups, rows);
      } else {
        rowScales(at, 2 * groups, highest(type.form()) / 127f, rows);
      }
    }
    for (int second = 0; second < 2; second++) {
      long at = scales + second * bytes;
      short half = (short) (type.minima() ? second * HALF : 0);
      roundedFactors(at, 2 * bytes, half, groups, f + second * BYTES, d);
    }
    if (type.hasLevels()) {
      scaleRows(type.form().factor(), d);
    }
  }

  private static int highest(Tiled.Form form) {
    int highest = 0;
    for (int i = 0; i < 16; i++) {
      highest = Math.max(highest, Math.abs(form.level(i)));
    }
    return highest;
  }

  /// The groups' first (`second` 0) or second bytes times what is in the tile's head for these, in
  /// the even or the odd lanes.
  ///
  /// @param head bytes of it, 64 if it is the same for both
  /// @param mask of the bytes, with their sign above
  private static void expand(
      long w, int head, int groups, int lane, int second, int mask, long to) {
    for (int g = 0; g < groups; g++) {
      long tile = w + (g >> 3) * (8L * PAIRS_GROUP_BYTES + head);
      long pair = tile + head + (g & 7) * (long) PAIRS_GROUP_BYTES;
      long d = tile + (long) second * (head - SCALES_BYTES);
      FloatVector six =
          (FloatVector)
              IntVector.fromMemorySegment(INTS, ALL, pair & IN_BOUNDS, ORDER)
                  .lanewise(LSHL, 24 - 16 * lane - 8 * second)
                  .lanewise(ASHR, 24)
                  .and(mask)
                  .convertShape(VectorOperators.I2F, FLOATS, 0);
      IntVector.fromMemorySegment(INTS, ALL, d & IN_BOUNDS, ORDER)
          .lanewise(LSHL, 16 - 16 * lane)
          .lanewise(ASHR, 3)
          .and(F16_PLACE)
          .reinterpretAsFloats()
          .mul(F16_BIAS)
          .mul(six)
          .intoMemorySegment(ALL, to + (long) g * BYTES & IN_BOUNDS, ORDER);
    }
  }

  /// The greatest magnitudes of `count` vectors, times a factor.
  private static void rowScales(long scales, int count, float factor, long d) {
    FloatVector most = FloatVector.broadcast(FLOATS, LEAST);
    for (int i = 0; i < count; i++) {
      long at = scales + (long) i * BYTES & IN_BOUNDS;
      most = FloatVector.fromMemorySegment(FLOATS, ALL, at, ORDER).abs().max(most);
    }
    most.mul(factor).intoMemorySegment(ALL, d & IN_BOUNDS, ORDER);
  }

  /// Multiplies the rows' scales.
  private static void scaleRows(float factor, long d) {
    FloatVector even = FloatVector.fromMemorySegment(FLOATS, ALL, d & IN_BOUNDS, ORDER);
    even.mul(factor).intoMemorySegment(ALL, d & IN_BOUNDS, ORDER);
    long second = d + TiledProduct.ODD_BYTES & IN_BOUNDS;
    FloatVector odd = FloatVector.fromMemorySegment(FLOATS, ALL, second, ORDER);
    odd.mul(factor).intoMemorySegment(ALL, second, ORDER);
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
  private static void roundedFactors(
      long from, long bytes, short half, int groups, long f, long d) {
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

  /// As [#int4], of places in a table, with a factor for each sixteen columns.
  private static void levels(
      long w, int tile, long table, int groups, long f, long first, long second, long step) {
    ShortVector level = ShortVector.fromMemorySegment(WORDS, ALL, table & IN_BOUNDS, ORDER);
    for (int i = 0; i < groups * 8; i++) {
      long factors = f + (i >> 2) * (long) BYTES & IN_BOUNDS;
      long at = w + (long) (i >> 6) * tile + (i >> 3 & 7) * PAIRS_GROUP_BYTES + (i & 7) * 64;
      ShortVector factor = ShortVector.fromMemorySegment(WORDS, ALL, factors, ORDER);
      ShortVector v = ShortVector.fromMemorySegment(WORDS, ALL, at & IN_BOUNDS, ORDER);
      ShortVector t0 = v.selectFrom(level).mul(factor).add((short) HALF);
      ShortVector t1 = v.lanewise(LSHR, 4).selectFrom(level).mul(factor).add((short) HALF);
      ShortVector t2 = v.lanewise(LSHR, 8).selectFrom(level).mul(factor).add((short) HALF);
      ShortVector t3 = v.lanewise(LSHR, 12).selectFrom(level).mul(factor).add((short) HALF);
      IntVector a = t0.lanewise(LSHR, 8).or(t1.and((short) 0xFF00)).reinterpretAsInts();
      IntVector b = t2.lanewise(LSHR, 8).or(t3.and((short) 0xFF00)).reinterpretAsInts();
      IntVector even = a.and(0xFFFF).or(b.lanewise(LSHL, 16));
      IntVector odd = a.lanewise(LSHR, 16).or(b.and(0xFFFF0000));
      even.intoMemorySegment(ALL, first + i * step & IN_BOUNDS, ORDER);
      odd.intoMemorySegment(ALL, second + i * step & IN_BOUNDS, ORDER);
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
