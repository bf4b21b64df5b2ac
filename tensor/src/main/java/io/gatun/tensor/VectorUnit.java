package io.gatun.tensor;

import io.gatun.tensor.kernel.dense.ReadKernel;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// What Java's vectors are on this machine, for diagnosis and benchmarks.
public final class VectorUnit {
  private VectorUnit() {}

  /// Whether the Vector API's module is there. It comes with this module on the module path; on the
  /// class path it takes `--add-modules jdk.incubator.vector`.
  public static boolean isAvailable() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
  }

  /// The bits of the vectors that the JIT compiler uses on this machine; 0 without the Vector API.
  public static int bits() {
    return isAvailable() ? ReadKernel.vectorBits() : 0;
  }

  /// Reads the bytes `from` (inclusive) to `to` (exclusive) of `data` as fast as one thread can and
  /// returns the exclusive or of their 32-bit words.
  ///
  /// @throws IllegalArgumentException if a bound is not a multiple of 256
  public static int read(MemorySegment data, long from, long to) {
    Objects.checkFromToIndex(from, to, data.byteSize());
    if ((from | to) % ReadKernel.GRAIN != 0) {
      throw new IllegalArgumentException(
          "bounds are %d and %d; need multiples of %d".formatted(from, to, ReadKernel.GRAIN));
    }
    return ReadKernel.xor(data, from, to);
  }
}
