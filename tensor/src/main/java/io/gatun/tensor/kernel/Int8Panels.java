package io.gatun.tensor.kernel;

import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Many activation rows times group-wise int4 weights through an int8 matrix product.
///
/// The weights of 32 rows become int8 with one scale a row, in the panels `[K / 4][columns][4]`
/// that int8 dot-product instructions read; the activations become u8 = round(x / scale) + 128 with
/// one scale a row. With s32 products P and sums of a weight row S: `y = activation scale * weight
/// scale * (P - 128 S)`.
public final class Int8Panels {
  private static final VectorShape SHAPE =
      VectorShape.forBitSize(Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize()));
  private static final VectorSpecies<Float> F = VectorSpecies.of(float.class, SHAPE);
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, SHAPE);
  private static final VectorSpecies<Short> S = VectorSpecies.of(short.class, SHAPE);
  private static final VectorSpecies<Byte> QUARTER =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, SHAPE.vectorBitSize() / 4)));
  private static final int LANES = F.length();

  /// As many bytes as `F` has floats: at 128 bits there are no shorter vectors of bytes.
  private static final VectorMask<Byte> BYTES = QUARTER.indexInRange(0, LANES);

  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  /// Rows of a tile.
  private static final int ROWS = 32;

  /// Brings the exponent of F16 bits that were moved into a float's place to a float's bias.
  private static final float F16_BIAS = 0x1p112f;

  private static final float ROUND = 0x1.8p23f;

  private Int8Panels() {}

  /// Unpacks one tile row, 32 rows of K columns.
  ///
  /// @param w the tiles of these rows from byte `wAt`
  /// @param groupSize columns that share a scale
  /// @param panel int8 values: column c of the panel's `stride` columns, at `panelAt + (k / 4 *
  ///   stride + c) * 4 + k % 4`, is the tile row's row c
  /// @param scales 32 F32 from byte `scalesAt`: each row's scale
  /// @param sums 32 I32 from byte `sumsAt`: each row's sum of int8 values, times 128
  public static void unpack(
      MemorySegment w,
      long wAt,
      int columns,
      int groupSize,
      MemorySegment panel,
      long panelAt,
      int stride,
      MemorySegment scales,
      long scalesAt,
      MemorySegment sums,
      long sumsAt) {
    for (int part = 0; part < 16; part += LANES) {
      unpackPart(
          w,
          wAt + 4L * part,
          columns,
          groupSize,
          panel,
          panelAt + 4L * part,
          stride,
          scales,
          scalesAt + 4L * part,
          sums,
          sumsAt + 4L * part);
    }
  }

  /// The rows of one vector of words: as many rows from the tile's first half as there are int
  /// lanes, and the same of its second half.
  private static void unpackPart(
      MemorySegment w,
      long wAt,
      int columns,
      int groupSize,
      MemorySegment panel,
      long panelAt,
      int stride,
      MemorySegment scales,
      long scalesAt,
      MemorySegment sums,
      long sumsAt) {
    int groups = columns / groupSize;
    long block = 2L * ROWS + 16L * groupSize;
    ShortVector most = ShortVector.zero(S);
    for (int g = 0; g < groups; g++) {
      most = most.max(ShortVector.fromMemorySegment(S, w, wAt + g * block, LE).and((short) 0x7FFF));
    }
    // int4 reaches -8, int8 127: a group's values are multiplied by 127/8 of its share of the row's
    // greatest scale, with 8 fraction bits; the products stay within 16 bits.
    IntVector mostBits = most.reinterpretAsInts();
    FloatVector low = f16(mostBits.lanewise(LSHL, 16)).mul(8f / 127);
    FloatVector high = f16(mostBits).mul(8f / 127);
    low.intoMemorySegment(scales, scalesAt, LE);
    high.intoMemorySegment(scales, scalesAt + 64, LE);
    // Rows that are all zero have scale 0, of which any finite multiple is still 0.
    FloatVector lowInverse = FloatVector.broadcast(F, 256).div(low.max(1e-12f));
    FloatVector highInverse = FloatVector.broadcast(F, 256).div(high.max(1e-12f));

    IntVector lowSum = IntVector.zero(I);
    IntVector highSum = IntVector.zero(I);
    long to = panelAt;
    for (int g = 0; g < groups; g++) {
      long from = wAt + g * block;
      IntVector bits = IntVector.fromMemorySegment(I, w, from, LE);
      IntVector l =
          f16(bits.lanewise(LSHL, 16)).mul(lowInverse).add(ROUND).reinterpretAsInts().and(0xFFFF);
      IntVector h = f16(bits).mul(highInverse).add(ROUND).reinterpretAsInts().lanewise(LSHL, 16);
      ShortVector factor = l.or(h).reinterpretAsShorts();
      ShortVector eight = factor.mul((short) 8).sub((short) 128);
      for (int k = 0; k < groupSize; k += 4) {
        ShortVector words = ShortVector.fromMemorySegment(S, w, from + 2 * ROWS + 16L * k, LE);
        ShortVector n0 = words.and((short) 15).mul(factor).sub(eight).lanewise(ASHR, 8);
        ShortVector n1 =
            words.lanewise(LSHR, 4).and((short) 15).mul(factor).sub(eight).lanewise(ASHR, 8);
        ShortVector n2 =
            words.lanewise(LSHR, 8).and((short) 15).mul(factor).sub(eight).lanewise(ASHR, 8);
        ShortVector n3 = words.lanewise(LSHR, 12).mul(factor).sub(eight).lanewise(ASHR, 8);
        IntVector sum = n0.add(n1).add(n2.add(n3)).reinterpretAsInts();
        lowSum = lowSum.add(sum.lanewise(LSHL, 16).lanewise(ASHR, 16));
        highSum = highSum.add(sum.lanewise(ASHR, 16));
        IntVector a = n0.and((short) 0xFF).or(n1.lanewise(LSHL, 8)).reinterpretAsInts();
        IntVector b = n2.and((short) 0xFF).or(n3.lanewise(LSHL, 8)).reinterpretAsInts();
        a.and(0xFFFF).or(b.lanewise(LSHL, 16)).intoMemorySegment(panel, to, LE);
        a.lanewise(LSHR, 16).or(b.and(0xFFFF0000)).intoMemorySegment(panel, to + 64, LE);
        to += 4L * stride;
      }
    }
    lowSum.lanewise(LSHL, 7).intoMemorySegment(sums, sumsAt, LE);
    highSum.lanewise(LSHL, 7).intoMemorySegment(sums, sumsAt + 64, LE);
  }

  /// The floats of F16 bits in the upper halves of ints; the lower halves do not matter.
  private static FloatVector f16(IntVector upper) {
    return upper.lanewise(ASHR, 3).and(0x8FFFE000).reinterpretAsFloats().mul(F16_BIAS);
  }

  /// Rounds a row to 8 bits: `q = round(x / scale) + zero`, ties to even.
  ///
  /// @param n a multiple of 32
  /// @param zero 128 for u8, 0 for s8
  /// @return the scale, which takes the greatest magnitude to 127; not finite if a value is not
  public static float quantize(
      MemorySegment x, long xAt, int n, int zero, MemorySegment q, long qAt) {
    FloatVector most = FloatVector.zero(F);
    for (int i = 0; i < n; i += LANES) {
      most = most.max(FloatVector.fromMemorySegment(F, x, xAt + 4L * i, LE).abs());
    }
    float max = most.reduceLanes(VectorOperators.MAX);
    float inverse = max == 0 ? 0 : 127 / max;
    for (int i = 0; i < n; i += LANES) {
      IntVector v =
          FloatVector.fromMemorySegment(F, x, xAt + 4L * i, LE)
              .mul(inverse)
              .add(ROUND)
              .reinterpretAsInts()
              .add(zero)
              .and(0xFF);
      ((ByteVector) v.convertShape(VectorOperators.I2B, QUARTER, 0))
          .intoMemorySegment(q, qAt + i, LE, BYTES);
    }
    return max / 127;
  }

  /// The sum of n signed bytes.
  ///
  /// @param n a multiple of 32
  public static int sum(MemorySegment q, long qAt, int n) {
    IntVector sum = IntVector.zero(I);
    for (int i = 0; i < n; i += LANES) {
      ByteVector v = ByteVector.fromMemorySegment(QUARTER, q, qAt + i, LE, BYTES);
      sum = sum.add((IntVector) v.convertShape(VectorOperators.B2I, I, 0));
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }

  /// `y[c] = scale * scales[c] * (products[c] - sums[c])` for n columns.
  ///
  /// @param n a multiple of 32
  public static void scale(
      MemorySegment products,
      long productsAt,
      float scale,
      MemorySegment scales,
      long scalesAt,
      MemorySegment sums,
      long sumsAt,
      int n,
      MemorySegment y,
      long yAt) {
    for (int c = 0; c < n; c += LANES) {
      IntVector p =
          IntVector.fromMemorySegment(I, products, productsAt + 4L * c, LE)
              .sub(IntVector.fromMemorySegment(I, sums, sumsAt + 4L * c, LE));
      ((FloatVector) p.convert(I2F, 0))
          .mul(FloatVector.fromMemorySegment(F, scales, scalesAt + 4L * c, LE).mul(scale))
          .intoMemorySegment(y, yAt + 4L * c, LE);
    }
  }
}
