package io.gatun.models.text;

import io.gatun.loaders.CheckpointException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.UnaryOperator;

/// SentencePiece's compiled normalization rules: the longest UTF-8 prefix that has a rule is
/// replaced.
///
/// The form is a byte count, a double-array trie of that many bytes (Aoe 1989, as Darts-clone lays
/// it out: 32-bit units with a label, an offset and a leaf flag), then the replacements, each ended
/// by 0.
final class CharsMap implements UnaryOperator<String> {
  /// In bytes; known rules are for up to 20. A damaged trie may have circles.
  private static final int LONGEST_RULE = 256;

  private final int[] units;
  private final byte[] replacements;
  private final Path file;

  private CharsMap(int[] units, byte[] replacements, Path file) {
    this.units = units;
    this.replacements = replacements;
    this.file = file;
  }

  /// Reads the rules; no bytes mean no rules.
  ///
  /// @throws CheckpointException if they are damaged
  static UnaryOperator<String> of(byte[] bytes, Path file) {
    if (bytes.length == 0) {
      return UnaryOperator.identity();
    }
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int trieBytes = bytes.length < 4 ? -1 : buffer.getInt();
    if (trieBytes < 4 || trieBytes > buffer.remaining() || trieBytes % 4 != 0) {
      throw new CheckpointException(
          "%s: precompiled_charsmap says that its trie has %d of %d bytes; the file is damaged"
              .formatted(file, trieBytes, bytes.length));
    }
    int[] units = new int[trieBytes / 4];
    buffer.asIntBuffer().get(units);
    byte[] replacements = new byte[bytes.length - 4 - trieBytes];
    buffer.position(4 + trieBytes).get(replacements);
    return new CharsMap(units, replacements, file);
  }

  @Override
  public String apply(String text) {
    byte[] in = text.getBytes(StandardCharsets.UTF_8);
    var out = new ByteArrayOutputStream(in.length);
    for (int i = 0; i < in.length; ) {
      int unit = 0;
      int node = offset(units[0]);
      int length = 0;
      int value = -1;
      for (int j = i; j < Math.min(in.length, i + LONGEST_RULE); j++) {
        int label = in[j] & 0xFF;
        unit = node ^ label;
        if (unit >= units.length || (units[unit] & 0x800000FF) != label) {
          break;
        }
        node = unit ^ offset(units[unit]);
        if ((units[unit] >>> 8 & 1) == 1 && node < units.length) {
          length = j + 1 - i;
          value = units[node] & 0x7FFFFFFF;
        }
      }
      if (length == 0) {
        length = characterLength(in[i]);
        out.write(in, i, Math.min(length, in.length - i));
      } else {
        for (int k = value; k < replacements.length && replacements[k] != 0; k++) {
          out.write(replacements[k]);
        }
        Normalizers.checkLength(out.size() / 3, text, file);
      }
      i += length;
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  private static int offset(int unit) {
    return unit >>> 10 << ((unit & 1 << 9) >>> 6);
  }

  private static int characterLength(byte lead) {
    int b = lead & 0xFF;
    return b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
  }
}
