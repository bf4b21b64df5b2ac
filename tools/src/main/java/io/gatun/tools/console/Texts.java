package io.gatun.tools.console;

import io.gatun.ffm.files.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Reads the text that a command works on, and writes what comes of it.
public final class Texts {
  private Texts() {}

  /// A file's text.
  ///
  /// @throws UncheckedIOException if it cannot be read
  /// @throws IllegalArgumentException if it is a directory, or not UTF-8
  public static String read(Path file) {
    if (Files.isDirectory(file)) {
      throw new IllegalArgumentException(file + ": is a directory; need a file of text");
    }
    return decode(bytes(file), file.toString());
  }

  /// What is in a file.
  ///
  /// @throws UncheckedIOException if it cannot be read
  public static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The text on standard input, to its end.
  ///
  /// @throws UncheckedIOException if it cannot be read
  /// @throws IllegalArgumentException if it is not UTF-8
  public static String read(InputStream standardInput) {
    try {
      return decode(standardInput.readAllBytes(), "standard input");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Makes a folder, with those above it, if it is not there.
  ///
  /// @throws UncheckedIOException if it cannot be made
  public static Path createFolder(Path folder) {
    try {
      return Files.createDirectories(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Writes a file in UTF-8, which appears whole or not at all.
  ///
  /// @throws UncheckedIOException if it cannot be written
  public static void write(Path file, String text) {
    try {
      AtomicFile.write(file, text);
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
