package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.F16_BIAS;
import static io.gatun.tensor.kernel.dense.Lanes.F16_PLACE;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.WORDS;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;
import static io.gatun.tensor.kernel.tiled.QuantizedRows.SCALE;
import static io.gatun.tensor.kernel.tiled.TiledLayout.PAIRS_GROUP_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledLayout.SCALES_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledProduct.ODD_BYTES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.gatun.tensor.DType.Tiled;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// Products of one vector of rows of weights that are places in a table, which a vector holds, with
/// a row of activations.
final class TiledLevels {
  /// Whether this machine's vectors can hold a table.
  static final boolean AVAILABLE = WORDS.length() >= 16;

  /// Bytes of a table: its sixteen words, again and again, so that what stands above four bits of a
  /// place does not matter.
  private static final int TABLE_BYTES = 64;

  private static final Map<Tiled.Form, MemorySegment> TABLES = new EnumMap<>(Tiled.Form.class);

  /// What four times 2^15 make, from the four words of sixteen columns.
  private static final int BIASES = 4 << 15;

  static {
    for (var form : Tiled.Form.values()) {
      var table = Arena.global().allocate(TABLE_BYTES, TABLE_BYTES);
      for (int i = 0; form.hasLevels() && i < TABLE_BYTES / 2; i++) {
        table.set(SHORT, 2L * i, (short) form.level(i % 16));
      }
      TABLES.put(form, table);
    }
  }

  private TiledLevels() {}

  /// The address of a form's table.
  static long table(Tiled.Form form) {
    return TABLES.get(form).address();
  }

  /// A root kernel, as those of [TiledWords]. The four products of a word's levels and activations,
  /// of magnitude 62 * 127 at most, fit its lane together; even and odd lanes are then added as
  /// integers of 32 bits, as [TiledWords#int8] does.
  ///
  /// @param w address of the vector's part of the first tile; tiles are `tile` bytes apart
  /// @param x address of the first activations' block, of those for 8 bits
  /// @param step bytes from a block to the next one's
  /// @param halves how many times sixteen columns there are
  /// @param levels address of the table
  /// @param y address of the products of even lanes; those of odd ones are [TiledProduct#ODD_BYTES]
  ///   behind
  static void oneRow(
      long w, int tile, long x, int step, int halves, long levels, float factor, long y) {
    ShortVector table = ShortVector.fromMemorySegment(WORDS, ALL, levels & IN_BOUNDS, ORDER);
    ShortVector bias = IntVector.broadcast(INTS, 1 << 15).reinterpretAsShorts();
    FloatVector even = FloatVector.zero(FLOATS);
    FloatVector odd = even;
    for (int h = 0; h < halves; h++) {
      long head = w + (long) (h >> 4) * tile & IN_BOUNDS;
      long pairs = head + SCALES_BYTES + (h >> 1 & 7) * PAIRS_GROUP_BYTES & IN_BOUNDS;
      long words = pairs + SCALES_BYTES + (h & 1) * 256;
      long block = x + (long) (h >> 1) * step & IN_BOUNDS;
      long a = block + (h & 1) * 64;
      IntVector all = IntVector.zero(INTS);
      IntVector high = IntVector.zero(INTS);
      for (int q = 0; q < 4; q++) {
        long b = a + q * 16 & IN_BOUNDS;
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
        ShortVector b0 = IntVector.broadcast(INTS, ALL.get(INT, b)).reinterpretAsShorts();
        ShortVector b1 = IntVector.broadcast(INTS, ALL.get(INT, b + 4)).reinterpretAsShorts();
        ShortVector b2 = IntVector.broadcast(INTS, ALL.get(INT, b + 8)).reinterpretAsShorts();
        ShortVector b3 = IntVector.broadcast(INTS, ALL.get(INT, b + 12)).reinterpretAsShorts();
        ShortVector p0 = v.selectFrom(table).mul(b0);
        ShortVector p1 = v.lanewise(LSHR, 4).selectFrom(table).mul(b1);
        ShortVector p2 = v.lanewise(LSHR, 8).selectFrom(table).mul(b2);
        ShortVector p3 = v.lanewise(LSHR, 12).selectFrom(table).mul(b3);
        IntVector pair = p0.add(p1).add(p2.add(p3)).add(bias).reinterpretAsInts();
        all = pair.add(all);
        high = pair.lanewise(ASHR, 16).add(high);
      }
      IntVector d = IntVector.fromMemorySegment(INTS, ALL, head, ORDER);
      IntVector s =
          IntVector.fromMemorySegment(INTS, ALL, pairs, ORDER).lanewise(LSHL, 8 - (h & 1) * 8);
      FloatVector f =
          FloatVector.broadcast(FLOATS, ALL.get(FLOAT, block + SCALE) * F16_BIAS * factor);
      FloatVector evenScale =
          d.lanewise(LSHL, 16)
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul(f)
              .mul(
                  (FloatVector)
                      s.lanewise(LSHL, 16).lanewise(ASHR, 24).convertShape(I2F, FLOATS, 0));
      FloatVector oddScale =
          d.lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul(f)
              .mul((FloatVector) s.lanewise(ASHR, 24).convertShape(I2F, FLOATS, 0));
      IntVector low = all.sub(high.lanewise(LSHL, 16)).sub(BIASES);
      even = ((FloatVector) low.convertShape(I2F, FLOATS, 0)).fma(evenScale, even);
      odd = ((FloatVector) high.convertShape(I2F, FLOATS, 0)).fma(oddScale, odd);
    }
    even.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
  }
}
