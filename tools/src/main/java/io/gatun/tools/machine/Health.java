package io.gatun.tools.machine;

import io.gatun.tensor.VectorUnit;
import io.gatun.tools.console.Units;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/// Says in plain words what makes Gatun slow on this machine.
public final class Health {
  private static final long SMALL_MEMORY = 2L << 30;

  private Health() {}

  /// What can be seen in a fraction of a millisecond.
  public static List<String> problems() {
    var problems = new ArrayList<String>();
    String vm = System.getProperty("java.vm.name", "");
    String mode = System.getProperty("java.vm.info", "");
    if (!vm.contains("Server VM")) {
      problems.add(
          "This Java (%s) has no C2 compiler; everything will be many times slower. Use a HotSpot JDK such as those of https://adoptium.net."
              .formatted(vm));
    } else if (mode.contains("interpreted")) {
      problems.add(
          "Java interprets instead of compiling (-Xint); everything will be a hundred times slower."
              + " Remove that flag from GATUN_JAVA_OPTS or JAVA_TOOL_OPTIONS.");
    } else if (mode.contains("emulated-client")) {
      problems.add(
          "Java's C2 compiler is switched off (-XX:TieredStopAtLevel=1 or the like); vectors will"
              + " be many times slower. Remove that flag from GATUN_JAVA_OPTS or"
              + " JAVA_TOOL_OPTIONS.");
    }
    if (System.getProperty("java.vm.version", "").contains("debug")) {
      problems.add("This Java is a debug build, several times slower than a release.");
    }
    if (!VectorUnit.isAvailable()) {
      problems.add(
          "The Vector API is missing; everything will be many times slower. Start Java with"
              + " --add-modules jdk.incubator.vector.");
    }
    double quota = Machine.cpuQuota();
    if (quota > 0 && quota < 1) {
      problems.add(
          "This container may use %.2f of one CPU. Give it more, for instance: docker run --cpus 4."
              .formatted(quota));
    }
    long memory = memory();
    if (memory > 0 && memory < SMALL_MEMORY) {
      problems.add(
          "There are only %s of memory; a larger model will be read from the disk again for every token."
              .formatted(Units.bytes(memory)));
    }
    return problems;
  }

  /// The bytes that this process can hope for: the computer's or the container's.
  static long memory() {
    long total = Machine.memoryTotal();
    long limit = Machine.memoryLimit();
    return limit > 0 ? Math.min(total, limit) : total;
  }

  /// Prints the problems, loudly.
  public static void warn(PrintStream err) {
    for (String problem : problems()) {
      err.println("gatun: WARNING: " + problem);
    }
  }
}
