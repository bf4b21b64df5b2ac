package io.gatun.benchmarks;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/// Operands of random numbers.
final class Random {
  private final SplittableRandom random = new SplittableRandom(1);
  private final Arena arena;

  Random(Arena arena) {
    this.arena = arena;
  }

  /// Numbers of -1..1, in F32 or BF16.
  Tensor numbers(DType.Plain dtype, long... dims) {
    var t = Tensor.allocate(arena, dtype, dims);
    for (long i = 0; i < t.size(); i++) {
      float value = (float) random.nextDouble(-1, 1);
      if (dtype == DType.Plain.F32) {
        t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
      } else {
        int bits = Float.floatToRawIntBits(value) >>> 16;
        t.segment().setAtIndex(ValueLayout.JAVA_SHORT, i, (short) bits);
      }
    }
    return t;
  }

  /// A weight (n, k) of any type.
  Tensor weight(Workers workers, DType type, long n, long k) {
    var floats = numbers(DType.Plain.F32, n, k);
    if (type == DType.Plain.F32) {
      return floats;
    }
    if (type instanceof DType.Plain plain) {
      return numbers(plain, n, k);
    }
    var t = Tensor.allocate(arena, type, n, k);
    var written = new long[1];
    Packing.convert(
        workers,
        floats,
        type,
        part -> {
          t.segment().asSlice(written[0]).copyFrom(part);
          written[0] += part.byteSize();
        });
    return t;
  }
}
