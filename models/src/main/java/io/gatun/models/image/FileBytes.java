package io.gatun.models.image;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.CancellationException;

/// An image file's bytes outside the heap, and the words for what keeps them from being read.
final class FileBytes {
  private static final long MAX_FILE = 1L << 30;

  private FileBytes() {}

  /// All bytes of a file.
  ///
  /// @throws ImageException if it is no regular file (a pipe may never end), is empty, or larger
  ///   than 1 GB
  static MemorySegment read(Path file, Arena arena) throws IOException {
    if (Files.isDirectory(file)) {
      throw new ImageException(file + ": is a directory; need an image file.");
    }
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new ImageException(
          file + ": is a pipe or a device; need an image file. Write it to a file first.");
    }
    try (var channel = FileChannel.open(file)) {
      long size = channel.size();
      if (size == 0 || size > MAX_FILE) {
        throw new ImageException(
            "%s: has %,d bytes; need an image file of 1 to %,d bytes."
                .formatted(file, size, MAX_FILE));
      }
      var bytes = arena.allocate(size);
      var buffer = bytes.asByteBuffer();
      while (buffer.hasRemaining()) {
        if (channel.read(buffer) < 0) {
          throw new EOFException("it got shorter while it was read");
        }
      }
      return bytes;
    }
  }

  /// What to say when that, or understanding the bytes, has failed.
  static RuntimeException exception(Object file, Throwable cause) {
    return switch (cause) {
      case ImageException e -> e;
      case ClosedByInterruptException _ -> new CancellationException("interrupted");
      case NoSuchFileException e -> new ImageException(file + ": there is no such file.", e);
      case FileSystemException e ->
          new ImageException(
              file
                  + ": cannot be read: "
                  + (e.getReason() != null ? e.getReason() : "denied")
                  + ".",
              e);
      case OutOfMemoryError e -> outOfMemory(file, e);
      // Decoders meet damaged files with any exception.
      default -> damaged(file, cause);
    };
  }

  private static ImageException outOfMemory(Object file, OutOfMemoryError e) {
    boolean heap = e.getMessage() == null || !e.getMessage().contains("direct");
    String option = heap ? "-Xmx" : "-XX:MaxDirectMemorySize=";
    long now = (heap ? Runtime.getRuntime().maxMemory() : 0) >> 20;
    return new ImageException(
        "%s: there is not enough memory to read it (%s). Give Java more with %s%s, in the command line through GATUN_JAVA_OPTS, or make the image smaller."
            .formatted(file, e.getMessage(), option, heap ? Math.max(1, now / 512) + "g" : "4g"),
        e);
  }

  private static ImageException damaged(Object file, Throwable cause) {
    String message = cause.getMessage() != null ? cause.getMessage() : cause.toString();
    String line = message.lines().findFirst().orElse("").strip();
    String what = line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    return new ImageException(
        "%s: is damaged or truncated: %s. Get the file again.".formatted(file, what), cause);
  }
}
