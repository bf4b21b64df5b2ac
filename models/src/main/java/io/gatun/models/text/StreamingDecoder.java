package io.gatun.models.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Turns tokens into text one by one, as they are generated; never half a character.
///
/// A token may end within a character: its bytes wait for the next token. Bytes that are no UTF-8
/// become U+FFFD.
public final class StreamingDecoder {
  private final Tokenizer tokenizer;
  private final boolean skipSpecial;
  private byte[] pending = {};
  private int leadingSpaces;

  StreamingDecoder(Tokenizer tokenizer, boolean skipSpecial, int leadingSpaces) {
    this.tokenizer = tokenizer;
    this.skipSpecial = skipSpecial;
    this.leadingSpaces = leadingSpaces;
  }

  /// The text that is complete with this token: often empty, at times several characters.
  ///
  /// @throws IllegalArgumentException if there is no such token
  public String push(int id) {
    byte[] bytes = tokenizer.bytes(id);
    if (skipSpecial && tokenizer.isSpecial(id)) {
      return "";
    }
    int from = 0;
    while (leadingSpaces > 0 && from < bytes.length) {
      if (bytes[from] == ' ') {
        from++;
        leadingSpaces--;
      } else {
        leadingSpaces = 0;
      }
    }
    byte[] all = Arrays.copyOf(pending, pending.length + bytes.length - from);
    System.arraycopy(bytes, from, all, pending.length, bytes.length - from);
    int complete = all.length - incompleteTail(all);
    pending = Arrays.copyOfRange(all, complete, all.length);
    return new String(all, 0, complete, StandardCharsets.UTF_8);
  }

  /// What is left at the end: U+FFFD if the last character never became complete, else empty.
  public String flush() {
    String rest = new String(pending, StandardCharsets.UTF_8);
    pending = new byte[0];
    return rest;
  }

  /// How many bytes at the end begin a UTF-8 character that more bytes may complete.
  private static int incompleteTail(byte[] bytes) {
    for (int n = 1; n <= Math.min(3, bytes.length); n++) {
      int b = bytes[bytes.length - n] & 0xFF;
      if (b >= 0xC0) {
        int length = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
        return n < length && b < 0xF8 ? n : 0;
      }
      if (b < 0x80) {
        return 0;
      }
    }
    return 0;
  }
}
