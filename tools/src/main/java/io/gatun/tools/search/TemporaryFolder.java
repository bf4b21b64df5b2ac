package io.gatun.tools.search;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// A folder for an index that nobody wants to keep.
public record TemporaryFolder(Path path) implements Closeable {
  public static TemporaryFolder of(String name) throws IOException {
    return new TemporaryFolder(Files.createTempDirectory(name));
  }

  /// Removes it, and the files in it.
  @Override
  public void close() throws IOException {
    try (var files = Files.list(path)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(path);
  }
}
