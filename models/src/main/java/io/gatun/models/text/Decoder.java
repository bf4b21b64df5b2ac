package io.gatun.models.text;

import io.gatun.loaders.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What bytes a piece stands for.
///
/// @param byteLevel pieces are in GPT-2's alphabet
/// @param byteFallback `<0xE2>` stands for that byte
/// @param replacements pairs of a string and what replaces it, in order
/// @param continuing what begins a piece that goes on with a word, where others stand after a
///   space; null where pieces say themselves where spaces are
/// @param leadingSpaces how many spaces at the very beginning of the text are not part of it
/// @param file where it is from, for messages
record Decoder(
    boolean byteLevel,
    boolean byteFallback,
    List<String[]> replacements,
    String continuing,
    int leadingSpaces,
    Path file) {
  /// More than this no token is.
  private static final int LONGEST = 1 << 20;

  /// What stands without a space before it in English.
  private static final List<String> CLOSE =
      List.of(".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re");

  /// GPT-2's alphabet.
  static Decoder ofByteLevel(Path file) {
    return new Decoder(true, false, List.of(), null, 0, file);
  }

  /// SentencePiece: visible spaces, byte tokens, and the space that encoding put before the text.
  static Decoder ofSentencePiece(int leadingSpaces, Path file) {
    return new Decoder(
        false, true, List.<String[]>of(new String[] {"\u2581", " "}), null, leadingSpaces, file);
  }

  /// WordPiece.
  ///
  /// @param cleanup whether there are no spaces before marks and English contractions
  static Decoder ofWordPiece(String continuing, boolean cleanup, Path file) {
    var replacements = new ArrayList<String[]>();
    for (String mark : cleanup ? CLOSE : List.<String>of()) {
      replacements.add(new String[] {" " + mark, mark});
    }
    return new Decoder(false, false, replacements, continuing, 1, file);
  }

  byte[] bytes(String piece) {
    if (byteLevel) {
      return ByteAlphabet.decode(piece);
    }
    if (byteFallback && isByte(piece)) {
      return new byte[] {(byte) Integer.parseInt(piece, 3, 5, 16)};
    }
    String text = piece;
    if (continuing != null) {
      boolean goesOn = piece.startsWith(continuing);
      text = goesOn ? piece.substring(continuing.length()) : " " + piece;
    }
    for (String[] replacement : replacements) {
      if ((long) text.length() * (replacement[1].length() + 1) > LONGEST) {
        throw new CheckpointException(
            "%s: the decoder makes more than %d characters of one token; the file is damaged"
                .formatted(file, LONGEST));
      }
      text = text.replace(replacement[0], replacement[1]);
    }
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static boolean isByte(String piece) {
    return piece.length() == 6
        && piece.startsWith("<0x")
        && piece.endsWith(">")
        && Character.digit(piece.charAt(3), 16) >= 0
        && Character.digit(piece.charAt(4), 16) >= 0;
  }
}
