package io.gatun.tensor.kernel.ggml;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// The tables that GGUF's formats of one to three bits are defined by: what ggml chose of all
/// tuples of eight or four small numbers.
///
/// They are in `iq-grids.bin`, one after the other, as places in the list of the numbers that
/// occur, lowest bits first: of two bits where three numbers occur, of four where eight do. NOTICE
/// names their source.
final class Grids {
  private static final int[] THREE = {8, 25, 43};

  static final byte[] IQ2_XXS;
  static final byte[] IQ2_XS;
  static final byte[] IQ2_S;
  static final byte[] IQ1;
  static final byte[] IQ3_XXS;
  static final byte[] IQ3_S;

  static {
    try (var in = Grids.class.getResourceAsStream("iq-grids.bin")) {
      byte[] all = in.readAllBytes();
      IQ2_XXS = table(all, 0, 2, 256 * 8, THREE);
      IQ2_XS = table(all, 512, 2, 512 * 8, THREE);
      IQ2_S = table(all, 1536, 2, 1024 * 8, THREE);
      IQ1 = table(all, 3584, 2, 2048 * 8, -1, 0, 1);
      IQ3_XXS = table(all, 7680, 4, 256 * 4, 4, 12, 20, 28, 36, 44, 52, 62);
      IQ3_S = table(all, 8192, 4, 512 * 4, 1, 3, 5, 7, 9, 11, 13, 15);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Grids() {}

  private static byte[] table(byte[] all, int from, int bits, int size, int... numbers) {
    var table = new byte[size];
    int perByte = 8 / bits;
    for (int i = 0; i < size; i++) {
      int place = all[from + i / perByte] >> i % perByte * bits & (1 << bits) - 1;
      table[i] = (byte) numbers[place];
    }
    return table;
  }

  /// The tables as words: eight elements a long, four an int. Those of IQ1 are 8 (x + 1), with the
  /// highest bit of each byte set.
  static final class Words {
    static final long[] IQ2_XXS = longs(Grids.IQ2_XXS);
    static final long[] IQ2_XS = longs(Grids.IQ2_XS);
    static final long[] IQ2_S = longs(Grids.IQ2_S);
    static final int[] IQ3_XXS = ints(Grids.IQ3_XXS);
    static final int[] IQ3_S = ints(Grids.IQ3_S);
    static final long[] IQ1 = offset(longs(Grids.IQ1));

    /// Bytes of ones where the place has ones.
    static final long[] MASKS = new long[256];

    /// Those of [Grids#signs].
    static final long[] EVEN = new long[128];

    static {
      for (int i = 0; i < 256; i++) {
        MASKS[i] = Long.expand(i, 0x0101010101010101L) * 0xFF;
      }
      for (int i = 0; i < 128; i++) {
        EVEN[i] = MASKS[signs(i)];
      }
    }

    private Words() {}

    private static long[] longs(byte[] table) {
      var words = new long[table.length / 8];
      ByteBuffer.wrap(table).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(words);
      return words;
    }

    private static int[] ints(byte[] table) {
      var words = new int[table.length / 4];
      ByteBuffer.wrap(table).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(words);
      return words;
    }

    /// Of bytes -1, 0 and 1.
    private static long[] offset(long[] ternary) {
      for (int i = 0; i < ternary.length; i++) {
        long plus1 = (ternary[i] ^ 0x8080808080808080L) - 0x7F7F7F7F7F7F7F7FL;
        ternary[i] = plus1 * 8 | 0x8080808080808080L;
      }
      return ternary;
    }
  }

  /// The signs of eight elements, 1 for negative, from the lower seven bits: an even number of
  /// signs is negative.
  static int signs(int seven) {
    int known = seven & 127;
    return known | (Integer.bitCount(known) & 1) << 7;
  }
}
