package io.gatun.ffm.files;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;

/// Files and folders that go if the process ends before they are finished, whether by Ctrl-C, a
/// signal or an exit. The latest go first, a folder only when it is empty.
public final class Unfinished {
  private static final Deque<Path> PATHS = new ArrayDeque<>();

  private static boolean isHooked;

  private Unfinished() {}

  /// Has `path` removed at the process's end.
  public static void add(Path path) {
    synchronized (PATHS) {
      if (!isHooked) {
        Runtime.getRuntime().addShutdownHook(new Thread(Unfinished::clear, "gatun-unfinished"));
        isHooked = true;
      }
      PATHS.push(path.toAbsolutePath());
    }
  }

  /// Leaves `path` where it is: it is finished, or gone.
  public static void remove(Path path) {
    synchronized (PATHS) {
      PATHS.remove(path.toAbsolutePath());
    }
  }

  static boolean contains(Path path) {
    synchronized (PATHS) {
      return PATHS.contains(path.toAbsolutePath());
    }
  }

  private static void clear() {
    synchronized (PATHS) {
      for (Path path : PATHS) {
        try {
          Files.deleteIfExists(path);
        } catch (IOException e) {
          // A folder with other files in it stays; a file is removed by the next run.
        }
      }
    }
  }
}
