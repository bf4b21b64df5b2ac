package io.gatun.tensor.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;

/// Counts cores: two hardware threads of one core share its vector units, so the second one only
/// gets in the way.
final class PhysicalCores {
  private static final Path CPUS = Path.of("/sys/devices/system/cpu");

  private PhysicalCores() {}

  /// The physical cores among the processors that this process may use; where the system does not
  /// say, the processors.
  static int count() {
    int processors = Runtime.getRuntime().availableProcessors();
    var cores = new HashSet<String>();
    try (var dirs = Files.newDirectoryStream(CPUS, "cpu[0-9]*")) {
      for (Path dir : dirs) {
        cores.add(Files.readString(dir.resolve("topology/thread_siblings_list")));
      }
    } catch (IOException e) {
      return processors;
    }
    return cores.isEmpty() ? processors : Math.min(processors, cores.size());
  }
}
