package io.gatun.tools.machine;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// What the operating system says about this computer: from /proc and /sys on Linux, from sysctl on
/// macOS. Whatever it does not say is 0 or empty.
public final class Machine {
  private static final boolean MAC = System.getProperty("os.name").startsWith("Mac");
  private static final Path CGROUP = Path.of("/sys/fs/cgroup");
  private static final long NO_LIMIT = 1L << 62;

  private Machine() {}

  public static String cpuModel() {
    return MAC
        ? sysctl("machdep.cpu.brand_string")
        : cpuInfo().getOrDefault("model name", cpuInfo().getOrDefault("CPU part", ""));
  }

  /// The CPU's features that matter to the kernels, those that are there.
  public static List<String> cpuFeatures() {
    String all =
        MAC
            ? sysctl("machdep.cpu.features") + " " + sysctl("machdep.cpu.leaf7_features")
            : cpuInfo().getOrDefault("flags", cpuInfo().getOrDefault("Features", ""));
    var there = List.of(all.toLowerCase(Locale.ROOT).split("\\s+"));
    return List.of(
            "avx",
            "avx2",
            "fma",
            "f16c",
            "avx512f",
            "avx512bw",
            "avx512_vnni",
            "avx512_bf16",
            "avx512_fp16",
            "avx_vnni",
            "amx_tile",
            "amx_int8",
            "amx_bf16",
            "asimd",
            "asimddp",
            "sve",
            "sve2",
            "bf16",
            "i8mm")
        .stream()
        .filter(there::contains)
        .toList();
  }

  /// The logical CPUs of the computer, of which this process may use
  /// [Runtime#availableProcessors()].
  public static int logicalCpus() {
    return MAC ? (int) number(sysctl("hw.logicalcpu")) : (int) count("processor");
  }

  /// The physical cores of the computer.
  public static int physicalCores() {
    if (MAC) {
      return (int) number(sysctl("hw.physicalcpu"));
    }
    var cores = new HashSet<String>();
    try (var cpus = Files.newDirectoryStream(Path.of("/sys/devices/system/cpu"), "cpu[0-9]*")) {
      for (Path cpu : cpus) {
        String siblings = read(cpu.resolve("topology/thread_siblings_list"));
        if (!siblings.isEmpty()) {
          cores.add(siblings);
        }
      }
    } catch (IOException e) {
      return 0;
    }
    return cores.size();
  }

  /// The CPUs' worth of time that the container grants; 0 for no limit.
  public static double cpuQuota() {
    String[] v2 = read(CGROUP.resolve("cpu.max")).split(" ", -1); // "200000 100000", "max 100000"
    if (v2.length == 2) {
      return v2[0].equals("max") ? 0 : (double) number(v2[0]) / number(v2[1]);
    }
    long quota = number(read(CGROUP.resolve("cpu/cpu.cfs_quota_us")));
    long period = number(read(CGROUP.resolve("cpu/cpu.cfs_period_us")));
    return quota > 0 && period > 0 ? (double) quota / period : 0;
  }

  /// The bytes that the container may use; 0 for no limit.
  public static long memoryLimit() {
    String v2 = read(CGROUP.resolve("memory.max"));
    String limit = v2.isEmpty() ? read(CGROUP.resolve("memory/memory.limit_in_bytes")) : v2;
    long bytes = number(limit);
    return bytes >= NO_LIMIT ? 0 : bytes;
  }

  public static long memoryTotal() {
    return MAC ? number(sysctl("hw.memsize")) : memInfo("MemTotal:");
  }

  /// What can be had without swapping, the page cache given up.
  public static long memoryAvailable() {
    return MAC ? 0 : memInfo("MemAvailable:");
  }

  /// What this process holds of memory that is no file's mapping; 0 where that cannot be told.
  public static long anonymousMemory() {
    return kilobytes(Path.of("/proc/self/status"), "RssAnon:");
  }

  /// `always`, `madvise` or `never`.
  public static String transparentHugePages() {
    String modes = read(Path.of("/sys/kernel/mm/transparent_hugepage/enabled"));
    return modes.replaceAll(".*\\[(.*)].*", "$1"); // "always [madvise] never"
  }

  private static Map<String, String> cpuInfo() {
    var first = new HashMap<String, String>();
    read(Path.of("/proc/cpuinfo"))
        .lines()
        .map(line -> line.split("\\s*:\\s*", 2))
        .filter(pair -> pair.length == 2)
        .forEach(pair -> first.putIfAbsent(pair[0], pair[1]));
    return first;
  }

  private static long count(String key) {
    return read(Path.of("/proc/cpuinfo")).lines().filter(line -> line.startsWith(key)).count();
  }

  private static long memInfo(String key) {
    return kilobytes(Path.of("/proc/meminfo"), key);
  }

  /// Plain loops, not streams: this runs whenever a command starts.
  private static long kilobytes(Path file, String key) {
    for (String line : read(file).split("\n", -1)) {
      if (line.startsWith(key)) { // "MemTotal:       24684096 kB"
        String value = line.substring(key.length()).strip();
        return number(value.substring(0, value.indexOf(' '))) * 1024;
      }
    }
    return 0;
  }

  private static long number(String text) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      return "";
    }
  }

  private static String sysctl(String name) {
    try {
      Process process = new ProcessBuilder("/usr/sbin/sysctl", "-n", name).start();
      return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      return "";
    }
  }
}
