package io.gatun.tensor.kernel;

import static io.gatun.tensor.kernel.Species.I;
import static io.gatun.tensor.kernel.Species.LE;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Reads memory as fast as the machine can: the roof for every product that streams weights once.
public final class ReadMemory {
  private ReadMemory() {}

  /// Reads bytes `from` to `to`, in four streams as the kernels do, and returns all of them or-ed
  /// together so that the compiler keeps the loads. Up to 255 bytes of each stream stay unread.
  public static int read(MemorySegment s, long from, long to) {
    long quarter = (to - from) / 4;
    int step = I.vectorByteSize();
    IntVector a = IntVector.zero(I);
    IntVector b = IntVector.zero(I);
    IntVector c = IntVector.zero(I);
    IntVector d = IntVector.zero(I);
    for (long at = from; at + step <= from + quarter; at += step) {
      a = a.or(IntVector.fromMemorySegment(I, s, at, LE));
      b = b.or(IntVector.fromMemorySegment(I, s, at + quarter, LE));
      c = c.or(IntVector.fromMemorySegment(I, s, at + 2 * quarter, LE));
      d = d.or(IntVector.fromMemorySegment(I, s, at + 3 * quarter, LE));
    }
    return a.or(b).or(c.or(d)).reduceLanes(VectorOperators.OR);
  }
}
