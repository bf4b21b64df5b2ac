package io.gatun.tensor.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The memory that this process can still have: what the system calls available, page cache that
/// can be given up included, within the limits of the containers that it is in (cgroups, version 1
/// and 2). `-Dgatun.memory=BYTES` says instead what may be counted on.
public final class FreeMemory {
  private static final String PROPERTY = "gatun.memory";
  private static final Path ROOT = Path.of("/");

  private FreeMemory() {}

  /// The bytes; [Long#MAX_VALUE] where nothing tells.
  ///
  /// @throws IllegalArgumentException if the property is no number
  public static long bytes() {
    Long said = Long.getLong(PROPERTY);
    if (said == null && System.getProperty(PROPERTY) != null) {
      throw new IllegalArgumentException(
          "-D%s=%s: need a number of bytes".formatted(PROPERTY, System.getProperty(PROPERTY)));
    }
    return said != null ? said : bytes(ROOT);
  }

  /// As a system says it whose `/proc` and `/sys` are in a folder.
  public static long bytes(Path root) {
    long available = value(read(root.resolve("proc/meminfo")), "MemAvailable:");
    long free = available < 0 ? Long.MAX_VALUE : available * 1024;
    Path groups = root.resolve("sys/fs/cgroup");
    for (String line : read(root.resolve("proc/self/cgroup")).split("\n", -1)) {
      String[] parts = line.split(":", 3); // "0::/user.slice", "4:cpu,memory:/docker/a1"
      if (parts.length < 3) {
        continue;
      }
      if (parts[1].isEmpty()) {
        free = Math.min(free, within(groups, parts[2], "memory.max", "memory.current", ""));
      } else if (("," + parts[1] + ",").contains(",memory,")) {
        Path memory = groups.resolve("memory");
        free =
            Math.min(
                free,
                within(
                    memory, parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"));
      }
    }
    return free;
  }

  /// A group's limit counts, and those of all groups that it is in. In a container the path is one
  /// of the outer system's, and the group's files lie at the top.
  private static long within(
      Path top, String path, String limitFile, String usageFile, String prefix) {
    long free = Long.MAX_VALUE;
    Path group = top.resolve(path.replaceFirst("^/+", "")).normalize();
    while (group.startsWith(top)) {
      long limit = number(read(group.resolve(limitFile)));
      long usage = number(read(group.resolve(usageFile)));
      if (limit >= 0 && usage >= 0) {
        String stat = "\n" + read(group.resolve("memory.stat"));
        long cache =
            Math.max(0, value(stat, "\n" + prefix + "inactive_file"))
                + Math.max(0, value(stat, "\n" + prefix + "active_file"));
        free = Math.min(free, Math.max(0, limit - usage + cache));
      }
      group = group.getParent();
    }
    return free;
  }

  /// The number after a word; -1 without one.
  private static long value(String text, String word) {
    int at = text.indexOf(word);
    return at < 0 ? -1 : number(text.substring(at + word.length()).strip().split("\\s", 2)[0]);
  }

  /// -1 for what is none, such as `max`.
  private static long number(String text) {
    try {
      return Long.parseLong(text.strip());
    } catch (NumberFormatException e) {
      return -1;
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      return "";
    }
  }
}
