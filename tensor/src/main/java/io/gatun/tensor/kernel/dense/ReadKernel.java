package io.gatun.tensor.kernel.dense;

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

  private ReadKernel() {}

  /// The bits of the vectors that the JIT compiler uses on this machine.
  public static int vectorBits() {
    return FloatVector.SPECIES_PREFERRED.vectorBitSize();
  }

  /// The exclusive or of the 32-bit words from byte `from` to byte `to` of `data`, read as four
  /// streams: a core gets more out of several pages at once than out of one.
  ///
  /// @param from a multiple of [#GRAIN], as is `to`
  public static int xor(MemorySegment data, long from, long to) {
    long quarter = (to - from) / 4;
    var a = IntVector.zero(SPECIES);
    var b = IntVector.zero(SPECIES);
    var c = IntVector.zero(SPECIES);
    var d = IntVector.zero(SPECIES);
    for (long i = from; i < from + quarter; i += SPECIES.vectorByteSize()) {
      a = load(data, i).lanewise(VectorOperators.XOR, a);
      b = load(data, i + quarter).lanewise(VectorOperators.XOR, b);
      c = load(data, i + 2 * quarter).lanewise(VectorOperators.XOR, c);
      d = load(data, i + 3 * quarter).lanewise(VectorOperators.XOR, d);
    }
    return a.lanewise(VectorOperators.XOR, b)
        .lanewise(VectorOperators.XOR, c.lanewise(VectorOperators.XOR, d))
        .reduceLanes(VectorOperators.XOR);
  }

  private static IntVector load(MemorySegment data, long at) {
    return IntVector.fromMemorySegment(SPECIES, data, at, ORDER);
  }
}
