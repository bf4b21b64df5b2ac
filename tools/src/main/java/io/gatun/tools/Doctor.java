package io.gatun.tools;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.gatun.ffm.NativeLibraries;
import io.gatun.ffm.NativeLibrary;
import io.gatun.ffm.files.CacheEntry;
import io.gatun.ffm.files.UserCache;
import io.gatun.tensor.VectorUnit;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import io.gatun.tools.machine.Health;
import io.gatun.tools.machine.Machine;
import io.gatun.tools.models.Cache;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun doctor`: what Gatun runs on, and what makes it slow there.
@Command(
    name = "doctor",
    description = "Describe this machine and say what makes Gatun slow on it.",
    sortOptions = false)
final class Doctor implements Runnable {
  private static final int C2_LEVEL = 4;

  @Spec private CommandSpec spec;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public void run() {
    var libraries = NativeLibraries.report();
    var report = new LinkedHashMap<String, Map<String, Object>>();
    report.put("gatun", gatun());
    report.put("java", java());
    report.put("vectors", vectors());
    report.put("cpu", cpu());
    report.put("memory", memory());
    report.put("cache", cache());
    var natives = new LinkedHashMap<String, Object>();
    libraries.forEach(library -> natives.put(library.name(), describe(library)));
    report.put("native", natives);
    List<String> problems = problems(libraries);

    var out = spec.commandLine().getOut();
    if (json) {
      var all = new LinkedHashMap<String, Object>(report);
      all.put("problems", problems);
      out.println(Json.of(all));
      return;
    }
    var table = new Table("lll");
    report.forEach(
        (section, values) ->
            values.forEach(
                (name, value) -> table.row(section, name.replace('_', ' '), text(value))));
    out.print(table);
    out.println();
    if (problems.isEmpty()) {
      out.println("Nothing here makes Gatun slow.");
    }
    problems.forEach(problem -> out.println("PROBLEM: " + problem));
    out.flush();
  }

  private static Map<String, Object> gatun() {
    var gatun = new LinkedHashMap<String, Object>();
    gatun.put("version", Main.Version.number());
    gatun.put("home", System.getProperty("gatun.home"));
    return gatun;
  }

  private static Map<String, Object> cache() {
    var cache = new LinkedHashMap<String, Object>();
    cache.put("folder", UserCache.folder().toString());
    cache.put("used", Cache.sum(CacheEntry.all()));
    cache.put("free_on_disk", freeOnDisk());
    return cache;
  }

  private static Long freeOnDisk() {
    Path there = UserCache.folder();
    while (there != null && !Files.exists(there)) {
      there = there.getParent();
    }
    try {
      return there == null ? null : Files.getFileStore(there).getUsableSpace();
    } catch (IOException e) {
      return null;
    }
  }

  /// How many CPUs all programs kept busy in the last minute; null where that is not known.
  private static Double load() {
    double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    return load < 0 ? null : load;
  }

  private static Map<String, Object> java() {
    var java = new LinkedHashMap<String, Object>();
    java.put("version", System.getProperty("java.runtime.version"));
    java.put("vendor", System.getProperty("java.vendor"));
    java.put("home", System.getProperty("java.home"));
    java.put("vm", System.getProperty("java.vm.name"));
    java.put("mode", System.getProperty("java.vm.info"));
    java.put("c2", hasC2());
    java.put("heap_limit", Runtime.getRuntime().maxMemory());
    return java;
  }

  /// Whether the optimizing compiler is there and not switched off.
  private static boolean hasC2() {
    return System.getProperty("java.vm.name", "").contains("Server VM")
        && !System.getProperty("java.vm.info", "").contains("interpreted")
        && Integer.parseInt(flag("TieredStopAtLevel", "4")) >= C2_LEVEL
        && !flag("CompilationMode", "default").startsWith("quick-only");
  }

  private static String flag(String name, String otherwise) {
    try {
      return ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
          .getVMOption(name)
          .getValue();
    } catch (IllegalArgumentException e) {
      return otherwise; // not a flag of this JVM
    }
  }

  private static Map<String, Object> vectors() {
    var vectors = new LinkedHashMap<String, Object>();
    vectors.put("module", VectorUnit.isAvailable());
    vectors.put("bits", VectorUnit.bits());
    return vectors;
  }

  private static Map<String, Object> cpu() {
    var cpu = new LinkedHashMap<String, Object>();
    cpu.put("model", Machine.cpuModel());
    cpu.put("architecture", System.getProperty("os.arch"));
    cpu.put("features", Machine.cpuFeatures());
    cpu.put("physical_cores", Machine.physicalCores());
    cpu.put("logical_cpus", Machine.logicalCpus());
    cpu.put("usable_cpus", Runtime.getRuntime().availableProcessors());
    cpu.put("quota", Machine.cpuQuota() == 0 ? null : Machine.cpuQuota());
    cpu.put("load", load());
    return cpu;
  }

  private static Map<String, Object> memory() {
    var memory = new LinkedHashMap<String, Object>();
    memory.put("total", Machine.memoryTotal());
    memory.put("available", Machine.memoryAvailable());
    memory.put("limit", Machine.memoryLimit() == 0 ? null : Machine.memoryLimit());
    memory.put("huge_pages", Machine.transparentHugePages());
    return memory;
  }

  private static Map<String, Object> describe(NativeLibrary library) {
    var map = new LinkedHashMap<String, Object>();
    map.put("loaded", library.isLoaded());
    if (library.isLoaded()) {
      map.put("version", library.version());
      map.put("core", library.core());
      map.put("path", library.path().toString());
    } else {
      map.put("problem", library.problem());
    }
    return map;
  }

  private static List<String> problems(List<NativeLibrary> libraries) {
    var problems = new ArrayList<>(Health.problems());
    if (problems.isEmpty() && !hasC2()) {
      problems.add(
          "Java's C2 compiler is switched off by a flag (-XX:TieredStopAtLevel or"
              + " -XX:CompilationMode); vectors will be many times slower.");
    }
    String arch = System.getProperty("os.arch");
    if (VectorUnit.isAvailable()
        && VectorUnit.bits() < 256
        && (arch.equals("amd64") || arch.equals("x86_64"))) {
      problems.add(
          "Java's vectors have %d bits: the CPU lacks AVX2, or -XX:UseAVX or an emulator hides it."
              .formatted(VectorUnit.bits()));
    }
    for (NativeLibrary library : libraries) {
      if (!library.isLoaded()) {
        problems.add(
            "%s is not loaded: %s. Prompts and images will take several times longer."
                .formatted(library.name(), library.problem()));
      }
    }
    Double load = load();
    if (load != null && load > Machine.logicalCpus() / 2.0) {
      problems.add(
          "Programs have kept %.1f of this machine's %d CPUs busy in the last minute; what they take, Gatun lacks."
              .formatted(load, Machine.logicalCpus()));
    }
    int usable = Runtime.getRuntime().availableProcessors();
    if (usable < Machine.physicalCores()) {
      problems.add(
          "Gatun may use %d of this machine's %d cores: a container's quota or a CPU affinity keeps it from the rest."
              .formatted(usable, Machine.physicalCores()));
    }
    return problems;
  }

  /// A value for people: sizes in units, lists without brackets.
  private static String text(Object value) {
    return switch (value) {
      case null -> "none";
      case Long bytes -> Units.bytes(bytes);
      case Boolean yes -> yes ? "yes" : "no";
      case List<?> list -> String.join(" ", list.stream().map(Object::toString).toList());
      case Map<?, ?> map when map.containsKey("problem") -> "not loaded: " + map.get("problem");
      case Map<?, ?> map ->
          "%s, %s, %s".formatted(map.get("version"), map.get("core"), map.get("path"));
      default -> value.toString();
    };
  }
}
