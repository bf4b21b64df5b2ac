package io.gatun.tools.bench.synthetic;

import io.gatun.loaders.TensorData;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/// Weights for measuring speed, which does not depend on what they are as long as results stay
/// finite.
final class RandomWeights {
  private RandomWeights() {}

  /// Random values of about the size that trained weights have.
  static TensorData data(DType type, long... dims) {
    long bytes = type.byteSize(Shape.of(dims));
    boolean norm = dims.length == 1;
    return sink -> {
      var random = new SplittableRandom(bytes);
      try (var arena = Arena.ofConfined()) {
        // A whole number of blocks of every type.
        var piece = arena.allocate(Math.min(bytes, 144L * 210 * 68), 64);
        for (long done = 0; done < bytes; done += piece.byteSize()) {
          var part = piece.asSlice(0, Math.min(piece.byteSize(), bytes - done));
          fill(part, type, norm, random);
          sink.write(part);
        }
      }
    };
  }

  private static void fill(MemorySegment s, DType type, boolean norm, SplittableRandom random) {
    for (long at = 0; at + 8 <= s.byteSize(); at += 8) {
      s.set(ValueLayout.JAVA_LONG, at, random.nextLong());
    }
    switch (type) {
      case DType.Plain p -> {
        // Sign and fraction stay random; the exponent makes it 2^-6, or 1 for a norm.
        for (long at = 0; at < s.byteSize(); at += p.blockBytes()) {
          if (p == DType.Plain.F32) {
            int bits = s.get(ValueLayout.JAVA_INT, at);
            s.set(ValueLayout.JAVA_INT, at, norm ? 0x3F800000 : bits & 0x807FFFFF | 121 << 23);
          } else {
            int bits = s.get(ValueLayout.JAVA_SHORT, at);
            s.set(ValueLayout.JAVA_SHORT, at, (short) (bits & 0x807F | 121 << 7));
          }
        }
      }
      case DType.Block b -> {
        for (long at = 0; at < s.byteSize(); at += b.blockBytes()) {
          switch (b) {
            case Q4_0 -> scale(s, at, 1 / 256f);
            case Q8_0 -> scale(s, at, 1 / 4096f);
            case Q4_K -> {
              scale(s, at, 1 / 8192f);
              scale(s, at + 2, 1 / 1024f);
            }
            case Q6_K -> scale(s, at + 208, 1 / 65536f);
            default -> throw new IllegalArgumentException(b.name());
          }
        }
      }
      case DType.Unknown u -> throw new IllegalArgumentException(u.name());
      case DType.Tiled t -> {
        long tile = (long) DType.Tiled.ROWS * t.blockBytes();
        for (long at = 0; at < s.byteSize(); at += tile) {
          for (int lane = 0; lane < DType.Tiled.ROWS; lane++) {
            scale(s, at + 2L * lane, t.bits() == 4 ? 1 / 256f : 1 / 4096f);
          }
        }
      }
    }
  }

  private static void scale(MemorySegment s, long at, float value) {
    s.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16(value));
  }
}
