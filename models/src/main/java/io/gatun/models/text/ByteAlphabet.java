package io.gatun.models.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// GPT-2's alphabet: each byte as one printable character, so that byte-level vocabularies are
/// text.
///
/// Bytes that print in Latin-1 stand for themselves; the other 68 are, in order, U+0100 and up.
final class ByteAlphabet {
  private static final char[] TO_CHAR = new char[256];
  private static final short[] TO_BYTE = new short[256 + 68];

  static {
    Arrays.fill(TO_BYTE, (short) -1);
    char free = 256;
    for (int b = 0; b < 256; b++) {
      boolean prints = (b > ' ' && b < 127) || (b > 0xA0 && b != 0xAD);
      TO_CHAR[b] = prints ? (char) b : free++;
      TO_BYTE[TO_CHAR[b]] = (short) b;
    }
  }

  private ByteAlphabet() {}

  /// What stands for a byte.
  static String character(int b) {
    return String.valueOf(TO_CHAR[b]);
  }

  /// The UTF-8 bytes of `text`, each as a character.
  static String encode(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    char[] chars = new char[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      chars[i] = TO_CHAR[bytes[i] & 0xFF];
    }
    return new String(chars);
  }

  /// The bytes that `piece` stands for; a piece with a character outside the alphabet stands for
  /// itself.
  static byte[] decode(String piece) {
    byte[] bytes = new byte[piece.length()];
    for (int i = 0; i < bytes.length; i++) {
      char c = piece.charAt(i);
      if (c >= TO_BYTE.length || TO_BYTE[c] < 0) {
        return piece.getBytes(StandardCharsets.UTF_8);
      }
      bytes[i] = (byte) TO_BYTE[c];
    }
    return bytes;
  }
}
