package io.gatun.tensor.kernel;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Reads memory and does next to nothing with it: what the memory can deliver.
public final class ReadKernel {
  /// What the bounds of a reading are multiples of: four of the widest vectors.
  public static final int GRAIN = 256;

  private static final VectorSpecies<Integer> SPECIES = IntVector.SPECIES_PREFERRED;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final int UNROLL = 4;

  private ReadKernel() {}

  /// The bits of the vectors that the JIT compiler uses on this machine.
  public static int vectorBits() {
    return FloatVector.SPECIES_PREFERRED.vectorBitSize();
  }

  /// The exclusive or of the 32-bit words from byte `from` to byte `to` of `data`.
  ///
  /// @param from a multiple of [#GRAIN], as is `to`
  public static int xor(MemorySegment data, long from, long to) {
    long step = SPECIES.vectorByteSize();
    var a = IntVector.zero(SPECIES);
    var b = IntVector.zero(SPECIES);
    var c = IntVector.zero(SPECIES);
    var d = IntVector.zero(SPECIES);
    for (long i = from; i < to; i += UNROLL * step) {
      a = a.lanewise(VectorOperators.XOR, IntVector.fromMemorySegment(SPECIES, data, i, ORDER));
      b =
          b.lanewise(
              VectorOperators.XOR, IntVector.fromMemorySegment(SPECIES, data, i + step, ORDER));
      c =
          c.lanewise(
              VectorOperators.XOR, IntVector.fromMemorySegment(SPECIES, data, i + 2 * step, ORDER));
      d =
          d.lanewise(
              VectorOperators.XOR, IntVector.fromMemorySegment(SPECIES, data, i + 3 * step, ORDER));
    }
    return a.lanewise(VectorOperators.XOR, b)
        .lanewise(VectorOperators.XOR, c.lanewise(VectorOperators.XOR, d))
        .reduceLanes(VectorOperators.XOR);
  }
}
