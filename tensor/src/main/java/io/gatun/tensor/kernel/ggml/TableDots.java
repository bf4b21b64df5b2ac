package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.BY_1;
import static io.gatun.tensor.kernel.dense.Lanes.BY_2;
import static io.gatun.tensor.kernel.dense.Lanes.BY_4;
import static io.gatun.tensor.kernel.dense.Lanes.BY_8;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.bytes;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.kernel.dense.Lanes;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Dot products of GGUF's blocks whose four bits are places in a table of sixteen numbers, which a
/// vector holds: for vectors of sixteen lanes alone. See [RowDots].
final class TableDots {
  static final boolean AVAILABLE = COUNT == 16;

  private static final IntVector IQ4 = AVAILABLE ? table(Blocks32.IQ4_LEVELS) : null;

  private TableDots() {}

  private static IntVector table(byte[] levels) {
    var bits = new int[COUNT];
    for (int i = 0; i < COUNT; i++) {
      bits[i] = Float.floatToRawIntBits(levels[i]);
    }
    return IntVector.fromArray(INTS, bits, 0);
  }

  static float iq4nl(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (long end = x + 4L * columns; x != end; w += 18, x += 128) {
      IntVector q = bytes(w + 2);
      IntVector u = q.lanewise(VectorOperators.LSHR, 4).and(15);
      FloatVector low = q.and(15).selectFrom(IQ4).reinterpretAsFloats().mul(floats(x));
      FloatVector both = u.selectFrom(IQ4).reinterpretAsFloats().fma(floats(x + 64), low);
      sum = both.fma(FloatVector.broadcast(FLOATS, Lanes.f16(w)), sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0);
  }

  static float iq4xs(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (long end = x + 4L * columns; x != end; w += 136) {
      float d = Lanes.f16(w);
      int high = ALL.get(SHORT, w + 2 & IN_BOUNDS);
      for (int group = 0; group < 8; group++, x += 128, high >>= 2) {
        int four = ALL.get(BYTE, w + 4 + (group >> 1) & IN_BOUNDS) >> (group & 1) * 4 & 15;
        float scale = d * ((four | (high & 3) << 4) - 32);
        IntVector q = bytes(w + 8 + group * 16);
        IntVector u = q.lanewise(VectorOperators.LSHR, 4).and(15);
        FloatVector low = q.and(15).selectFrom(IQ4).reinterpretAsFloats().mul(floats(x));
        FloatVector both = u.selectFrom(IQ4).reinterpretAsFloats().fma(floats(x + 64), low);
        sum = both.fma(FloatVector.broadcast(FLOATS, scale), sum);
      }
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0);
  }
}
