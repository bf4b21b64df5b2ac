package io.gatun.models.quantized;

import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Integers of a few bits in 32-bit words, from the lowest bits on, and numbers in matrices.
final class Words {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private Words() {}

  /// Word `at` of a tensor.
  static int get(Tensor words, long at) {
    return words.segment().get(INT, 4 * at);
  }

  /// Byte `at` of a tensor.
  static int byteAt(Tensor bytes, long at) {
    return bytes.segment().get(ValueLayout.JAVA_BYTE, at) & 0xFF;
  }

  /// Element `at` of words of integers of `bits`, which follow each other, from one word into the
  /// next where 32 is no multiple of them.
  static int element(Tensor words, int bits, long at) {
    long bit = at * bits;
    int shift = (int) bit & 31;
    int value = get(words, bit / 32) >>> shift;
    if (shift + bits > 32) {
      value |= get(words, bit / 32 + 1) << 32 - shift;
    }
    return value & (1 << bits) - 1;
  }

  /// The middle of unsigned integers of so many bits: what is taken from them to make them signed.
  static int center(int bits) {
    return 1 << bits - 1;
  }

  /// Rows whose words (N, bits K / 32) hold integers along K.
  static IntegerGroups.Integers alongRows(Tensor words, int bits, int columns) {
    if (32 % bits != 0) {
      return (row, count, out) -> {
        for (int i = 0; i < count * columns; i++) {
          int number = element(words, bits, (long) row * columns + i);
          out[i] = (byte) (number - center(bits));
        }
      };
    }
    int perWord = 32 / bits;
    int mask = (1 << bits) - 1;
    int center = center(bits);
    MemorySegment memory = words.segment();
    return (row, count, out) -> {
      for (int i = 0; i < count * columns; i += perWord) {
        int word = memory.get(INT, ((long) row * columns + i) / perWord * 4);
        for (int j = 0; j < perWord; j++, word >>>= bits) {
          out[i + j] = (byte) ((word & mask) - center);
        }
      }
    };
  }

  /// The elements of a matrix (N, G) of any plain type.
  static IntegerGroups.Values values(Tensor matrix) {
    var all = new Floats(matrix);
    int groups = Math.toIntExact(matrix.dim(1));
    return (n, g) -> all.at(n * groups + g);
  }

  /// The elements of a matrix (G, N) of any plain type, turned.
  static IntegerGroups.Values turned(Tensor matrix) {
    var all = new Floats(matrix);
    int rows = Math.toIntExact(matrix.dim(1));
    return (n, g) -> all.at(g * rows + n);
  }

  /// A tensor's elements, which are read when the first one is wanted.
  private static final class Floats {
    private final Tensor tensor;
    private volatile float[] values;

    Floats(Tensor tensor) {
      this.tensor = tensor;
    }

    float at(int i) {
      float[] v = values;
      if (v == null) {
        v = tensor.toFloats();
        values = v;
      }
      return v[i];
    }
  }
}
