package io.gatun.spark;

import io.gatun.tensor.VectorUnit;
import java.util.Locale;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;
import org.apache.spark.network.util.ByteUnit;
import org.apache.spark.network.util.JavaUtils;

/// What a cluster must be like, checked by the driver before anything runs.
final class Cluster {
  /// The options that executors' JVMs need.
  static final String JAVA_OPTIONS =
      "--add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED";

  private static final Pattern LOCAL = Pattern.compile("local(?:\\[(\\d+|\\*)(?:,\\d+)?])?");

  /// What a model takes beside its file and its answers' caches, roughly.
  private static final long WORKSPACE = 512L << 20;

  private Cluster() {}

  /// @throws IllegalArgumentException if executors lack an option or memory, with what to set
  static void check(SparkConf conf, Task task, GatunOptions options) {
    if (LOCAL.matcher(conf.get("spark.master", "")).matches()) {
      if (!VectorUnit.isAvailable()) {
        throw new IllegalArgumentException(
            "Java's Vector API is not there; start Java, or spark-submit with"
                + " --driver-java-options, with "
                + JAVA_OPTIONS);
      }
      return;
    }
    String given =
        conf.get("spark.executor.extraJavaOptions", "")
            + " "
            + conf.get("spark.executor.defaultJavaOptions", "");
    if (!given.contains("jdk.incubator.vector")) {
      throw new IllegalArgumentException(
          "executors would lack Java's Vector API; set spark.executor.extraJavaOptions to "
              + JAVA_OPTIONS);
    }
    int cores = cores(conf);
    if (conf.contains("spark.executor.cores") && options.threads > cores) {
      throw new IllegalArgumentException(
          "threads is %d, and an executor has %d cores (spark.executor.cores)"
              .formatted(options.threads, cores));
    }
    checkMemory(conf, task, options);
  }

  /// The cores of an executor, all of which its one model computes with, whatever the number of its
  /// tasks.
  static int cores(SparkConf conf) {
    var local = LOCAL.matcher(conf.get("spark.master", ""));
    if (local.matches()) {
      String n = local.group(1);
      return n == null
          ? 1
          : n.equals("*") ? Runtime.getRuntime().availableProcessors() : Integer.parseInt(n);
    }
    return conf.getInt("spark.executor.cores", conf.getInt("spark.task.cpus", 1));
  }

  private static void checkMemory(SparkConf conf, Task task, GatunOptions options) {
    boolean answers = task == Task.COMPLETE || task == Task.CHAT;
    long needed = WORKSPACE + (answers ? options.memory : 0);
    String heap = conf.get("spark.executor.memory", "1g");
    long factorised =
        (long)
            (JavaUtils.byteStringAsBytes(heap)
                * conf.getDouble("spark.executor.memoryOverheadFactor", 0.1));
    String overhead = conf.get("spark.executor.memoryOverhead", null);
    long there =
        overhead == null
            ? Math.max(384L << 20, factorised)
            : JavaUtils.byteStringAs(overhead, ByteUnit.MiB) << 20;
    boolean contained = conf.get("spark.master", "").matches("(yarn|k8s).*");
    if (there < needed && (contained || overhead != null)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "executors have %d MiB outside of Java's heap, and the model needs about %d MiB"
                  + " beside its file; set spark.executor.memoryOverhead to %dm",
              there >> 20,
              needed >> 20,
              needed >> 20));
    }
  }
}
