package io.gatun.tools;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Reads the text that a command works on.
final class Texts {
  private Texts() {}

  /// A file's text.
  ///
  /// @throws UncheckedIOException if it cannot be read
  /// @throws IllegalArgumentException if it is not UTF-8
  static String read(Path file) {
    try {
      return decode(Files.readAllBytes(file), file.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The text on standard input, to its end.
  ///
  /// @throws UncheckedIOException if it cannot be read
  /// @throws IllegalArgumentException if it is not UTF-8
  static String readStandardInput() {
    try {
      return decode(System.in.readAllBytes(), "standard input");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String decode(byte[] bytes, String where) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(
          where + ": this is not UTF-8 text; convert it, for instance with iconv -t UTF-8", e);
    }
  }
}
