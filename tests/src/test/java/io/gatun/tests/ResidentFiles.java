package io.gatun.tests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// How much of mapped files is in the process's memory, as Linux tells it.
public final class ResidentFiles {
  private static final Pattern FILE = Pattern.compile("[0-9a-f]+-[0-9a-f]+ .*");

  private ResidentFiles() {}

  /// The bytes of files in whose path `part` is found.
  public static long bytes(String part) {
    try (var lines = Files.lines(Path.of("/proc/self/smaps"))) {
      long kilobytes = 0;
      boolean counts = false;
      for (String line : (Iterable<String>) lines::iterator) {
        if (FILE.matcher(line).matches()) {
          counts = line.contains(part);
        } else if (counts && line.startsWith("Rss:")) {
          kilobytes += Long.parseLong(line.replaceAll("\\D+", ""));
        }
      }
      return kilobytes << 10;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
