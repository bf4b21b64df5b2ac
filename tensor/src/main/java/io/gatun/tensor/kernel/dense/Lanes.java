package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;

import io.gatun.tensor.kernel.scalar.Floats;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// Loads and stores that convert: memory in some storage type, registers in F32 or 32-bit integers,
/// [#COUNT] lanes at a time, whatever the machine's vector width.
///
/// Every method is small and is inlined into a kernel's loop, and into what follows the loop: the
/// compiler, left to itself, would call there what has not run yet, with an object for each vector.
/// In a kernel of very many operations it does so nevertheless, from its 18,000th node on, except
/// for the Vector API's own methods: such a kernel names those.
///
/// Addresses are taken as they are: whoever calls the kernel has checked them.
public final class Lanes {
  /// The machine's preferred vectors, of at most 512 bits, which a tile's 32 words fill.
  private static final VectorShape SHAPE =
      VectorShape.forBitSize(Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize()));

  public static final VectorSpecies<Float> FLOATS = VectorSpecies.of(float.class, SHAPE);
  public static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, SHAPE);
  public static final VectorSpecies<Short> WORDS = VectorSpecies.of(short.class, SHAPE);
  public static final int COUNT = FLOATS.length();
  public static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  public static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

  /// Of 256 bits at most, which is 32 bytes of a block: see [#longs].
  public static final VectorSpecies<Long> LONGS =
      VectorSpecies.of(long.class, VectorShape.forBitSize(Math.min(256, FLOATS.vectorBitSize())));

  public static final int LONG_BYTES = LONGS.vectorByteSize();

  /// There are no vectors of 32 bits, so where four lanes make a vector, bytes take another way.
  private static final boolean FOUR_LANES = COUNT == 4;

  public static final VectorSpecies<Byte> BYTES =
      VectorSpecies.of(
          byte.class, VectorShape.forBitSize(Math.max(64, FLOATS.vectorBitSize() / 4)));

  private static final VectorMask<Byte> FOUR_BYTES = BYTES.indexInRange(0, 4);

  private static final IntVector LANE = IntVector.zero(INTS).addIndex(1);

  private static final IntVector BYTE_TO_TOP =
      IntVector.broadcast(INTS, 24).sub(LANE.lanewise(VectorOperators.LSHL, 3));

  /// An address and-ed with it stays as it is, and the compiler sees that it is within all memory:
  /// no check remains in the code, which a loop would be split for.
  public static final long IN_BOUNDS = Long.MAX_VALUE >> 1;

  /// The same for an address that small numbers are added to, which then need no check either.
  public static final long BASE = IN_BOUNDS >> 1;

  /// Brings the exponent of F16 bits that were moved to a float's place to a float's bias.
  public static final float F16_BIAS = 0x1p112f;

  /// Where a float has a sign and the exponent and mantissa of F16.
  public static final int F16_PLACE = 0x8FFFE000;

  /// Added to a float of magnitude below 2^22, it leaves the nearest integer, ties to even, in the
  /// low bits; taken away again, as a float.
  public static final float ROUND = 0x1.8p23f;

  /// To add up the lanes of v, always in the same order, and without a call that C2 may not inline
  /// at the end of a long kernel:
  ///
  ///     v = v.add(v.rearrange(BY_8)); v = v.add(v.rearrange(BY_4)); v = v.add(v.rearrange(BY_2));
  ///     sum = v.add(v.rearrange(BY_1)).lane(0) * LANE_SHARE;
  ///
  /// The order of `reduceLanes` is another in compiled code than before it is compiled, so that the
  /// last bits of a result would depend on when that was. Where vectors have fewer than 16 lanes,
  /// the first steps double.
  public static final VectorShuffle<Float> BY_8 = exchange(8);

  public static final VectorShuffle<Float> BY_4 = exchange(4);
  public static final VectorShuffle<Float> BY_2 = exchange(2);
  public static final VectorShuffle<Float> BY_1 = exchange(1);
  public static final float LANE_SHARE = COUNT / 16f;

  private Lanes() {}

  private static VectorShuffle<Float> exchange(int distance) {
    return VectorShuffle.fromOp(FLOATS, i -> (i ^ distance) & (COUNT - 1));
  }

  public static FloatVector floats(long address) {
    return FloatVector.fromMemorySegment(FLOATS, ALL, address & IN_BOUNDS, ORDER);
  }

  /// The last of a row; 0 in the other lanes.
  public static FloatVector floats(long address, VectorMask<Float> mask) {
    return FloatVector.fromMemorySegment(FLOATS, ALL, address & IN_BOUNDS, ORDER, mask);
  }

  public static FloatVector floats(MemorySegment s, long at, VectorMask<Float> mask) {
    return FloatVector.fromMemorySegment(FLOATS, s, at, ORDER, mask);
  }

  public static IntVector ints(long address) {
    return IntVector.fromMemorySegment(INTS, ALL, address & IN_BOUNDS, ORDER);
  }

  /// [#LONG_BYTES] bytes as they are.
  public static LongVector longs(long address) {
    return LongVector.fromMemorySegment(LONGS, ALL, address & IN_BOUNDS, ORDER);
  }

  /// Bytes, sign-extended.
  public static IntVector bytes(long address) {
    if (FOUR_LANES) {
      return IntVector.broadcast(INTS, ALL.get(Floats.INT, address & IN_BOUNDS))
          .lanewise(VectorOperators.LSHL, BYTE_TO_TOP)
          .lanewise(VectorOperators.ASHR, 24);
    }
    return (IntVector)
        ByteVector.fromMemorySegment(BYTES, ALL, address & IN_BOUNDS, ORDER)
            .convertShape(VectorOperators.B2I, INTS, 0);
  }

  /// 16-bit words, sign-extended.
  public static IntVector shorts(long address) {
    return (IntVector)
        ShortVector.fromMemorySegment(SHORTS, ALL, address & IN_BOUNDS, ORDER)
            .convertShape(VectorOperators.S2I, INTS, 0);
  }

  /// In each lane `i`, bit `first + i` of `bits`; 0 or 1.
  public static IntVector spread(int bits, int first) {
    return IntVector.broadcast(INTS, bits).lanewise(VectorOperators.LSHR, LANE.add(first)).and(1);
  }

  public static float f16(long address) {
    return Float.float16ToFloat(ALL.get(Floats.SHORT, address & IN_BOUNDS));
  }

  public static FloatVector toFloat(IntVector v) {
    return (FloatVector) v.convertShape(VectorOperators.I2F, FLOATS, 0);
  }

  /// The values of the F16 in the lanes' lower halves; upper halves may hold anything.
  public static FloatVector f16(IntVector bits) {
    // Moved to where a float has them, exponent and mantissa are too small by 2^112, subnormals
    // included; only infinity and NaN need their exponent put right.
    var magnitude = bits.lanewise(VectorOperators.LSHL, 13).and(0x0FFFE000);
    var scaled = magnitude.reinterpretAsFloats().mul(F16_BIAS).reinterpretAsInts();
    var value =
        scaled.lanewise(
            VectorOperators.OR, 0x7F800000, magnitude.compare(VectorOperators.GE, 0x0F800000));
    return value.or(bits.lanewise(VectorOperators.LSHL, 16).and(0x80000000)).reinterpretAsFloats();
  }

  /// F16 that are finite: their bits where a float has them make its value times 2^-112.
  public static FloatVector finiteF16(long address) {
    return shorts(address)
        .lanewise(VectorOperators.LSHL, 13)
        .and(F16_PLACE)
        .reinterpretAsFloats()
        .mul(F16_BIAS);
  }

  /// The values of the BF16 in the lanes' lower halves.
  public static FloatVector bf16(IntVector bits) {
    return bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
  }

  public static void store(FloatVector v, long address) {
    v.intoMemorySegment(ALL, address & IN_BOUNDS, ORDER);
  }

  public static void store(FloatVector v, long address, VectorMask<Float> mask) {
    v.intoMemorySegment(ALL, address & IN_BOUNDS, ORDER, mask);
  }

  public static void store(LongVector v, long address) {
    v.intoMemorySegment(ALL, address & IN_BOUNDS, ORDER);
  }

  public static void store(ShortVector v, long address) {
    v.intoMemorySegment(ALL, address & IN_BOUNDS, ORDER);
  }

  /// Stores the lanes' lower halves.
  public static void storeShorts(IntVector v, long address) {
    ((ShortVector) v.convertShape(VectorOperators.I2S, SHORTS, 0))
        .intoMemorySegment(ALL, address & IN_BOUNDS, ORDER);
  }

  /// Stores the lanes' lowest bytes.
  public static void storeBytes(IntVector v, long address) {
    var bytes = (ByteVector) v.convertShape(VectorOperators.I2B, BYTES, 0);
    if (FOUR_LANES) {
      bytes.intoMemorySegment(ALL, address & IN_BOUNDS, ORDER, FOUR_BYTES);
    } else {
      bytes.intoMemorySegment(ALL, address & IN_BOUNDS, ORDER);
    }
  }

  /// The nearest BF16, ties to even, in the lanes' lower halves; NaN stays NaN.
  public static IntVector toBf16(FloatVector v) {
    var bits = v.reinterpretAsInts();
    var top = bits.lanewise(VectorOperators.LSHR, 16);
    var rounded = bits.add(top.and(1)).add(0x7FFF).lanewise(VectorOperators.LSHR, 16);
    var nan = v.compare(VectorOperators.NE, v).cast(INTS);
    return rounded.blend(top.or(0x40), nan);
  }

  /// The nearest F16, ties to even, in the lanes' lower halves; NaN stays NaN.
  public static IntVector toF16(FloatVector v) {
    var bits = v.reinterpretAsInts();
    var magnitude = bits.and(0x7FFFFFFF);
    var odd = magnitude.lanewise(VectorOperators.LSHR, 13).and(1);
    var normal = magnitude.add(odd).add(0xFFF - (112 << 23)).lanewise(VectorOperators.LSHR, 13);
    // Below 2^-14 the last bit of a half is 2^-24, which is also the last bit of a float at 0.5.
    var small =
        magnitude
            .reinterpretAsFloats()
            .add(0.5f)
            .reinterpretAsInts()
            .sub(Float.floatToRawIntBits(0.5f));
    var nan = magnitude.lanewise(VectorOperators.LSHR, 13).and(0x3FF).or(0x7E00);
    var value =
        normal
            .blend(small, magnitude.compare(VectorOperators.LT, 113 << 23))
            .blend(0x7C00, magnitude.compare(VectorOperators.GE, 0x477FF000))
            .blend(nan, magnitude.compare(VectorOperators.GT, 0x7F800000));
    return value.or(bits.lanewise(VectorOperators.LSHR, 16).and(0x8000));
  }
}
