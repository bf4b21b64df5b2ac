package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.TextEmbedder;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun spark`, with Spark's own programs in processes of their own.
class SparkTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path TARGET = TestData.ROOT.resolve("tools/spark/target");
  private static final Path TINY = TestData.pretrained("tiny-llm");

  @TempDir private static Path temp;

  private static String spark;
  private static String gatun;

  @BeforeAll
  static void findJars() throws Exception {
    Path list = TARGET.resolve("class-path.txt");
    assumeTrue(Files.exists(list), "nothing is packaged: run mvn verify, or mvn package");
    var all =
        Pattern.compile(File.pathSeparator).splitAsStream(Files.readString(list).strip()).toList();
    Pattern ours = Pattern.compile(".*(/io/gatun/|/bytedeco/|/picocli/|gatun/[\\w-]+/target/).*");
    var own = all.stream().filter(jar -> ours.matcher(jar).matches()).toList();
    spark =
        all.stream()
            .filter(jar -> !own.contains(jar))
            .collect(Collectors.joining(File.pathSeparator));
    Path job;
    try (Stream<Path> files = Files.list(TARGET)) {
      job = files.filter(f -> f.toString().endsWith(".jar")).findFirst().orElseThrow();
    }
    gatun = job + File.pathSeparator + String.join(File.pathSeparator, own);

    Files.createDirectories(temp.resolve("home/jars")); // Spark's own are on the class path
    Files.createFile(temp.resolve("home/RELEASE"));
  }

  private static Path rows(String name, int count) throws Exception {
    var lines = new ArrayList<String>();
    for (int i = 0; i < count; i++) {
      var row = JSON.createObjectNode().put("id", i);
      if (i == 3) {
        row.putNull("text");
      } else {
        row.put("text", i == 4 ? "long ".repeat(3000) : "Good morrow, my lord. What news? " + i);
      }
      lines.add(row.toString());
    }
    return Files.write(temp.resolve(name), lines);
  }

  private static ProcessBuilder job(List<String> properties, String... args) throws Exception {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(Processes.KERNEL_OPTIONS, "-Xmx512m", "-XX:+UseSerialGC"));
    command.addAll(
        List.of("--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"));
    command.addAll(
        List.of("-Dspark.ui.enabled=false", "-Dspark.local.dir=" + temp.resolve("local")));
    command.addAll(properties);
    command.addAll(List.of("-cp", gatun + File.pathSeparator + spark, "io.gatun.spark.GatunJob"));
    command.addAll(List.of(args));
    var builder = new ProcessBuilder(command).directory(temp.toFile());
    builder.environment().put("SPARK_HOME", temp.resolve("home").toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    return builder;
  }

  private static List<String> twoExecutors() {
    return List.of(
        "-Dspark.master=local-cluster[2,1,1024]",
        "-Dspark.executor.memory=512m",
        "-Dspark.executor.extraClassPath=" + gatun + File.pathSeparator + spark,
        "-Dspark.executor.extraJavaOptions=@%s -XX:+UseSerialGC --add-modules=jdk.incubator.vector"
                .formatted(TestData.ROOT.resolve("tools/kernel.options"))
            + " --enable-native-access=ALL-UNNAMED");
  }

  private static List<JsonNode> written(Path folder) throws Exception {
    var rows = new ArrayList<JsonNode>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".json")).sorted().toList()) {
        for (String line : Files.readAllLines(file)) {
          rows.add(JSON.readTree(line));
        }
      }
    }
    return rows;
  }

  private static Result succeeds(ProcessBuilder job) throws Exception {
    var result = Processes.run(job);
    assertEquals(0, result.code(), result.err());
    return result;
  }

  /// Two executors of which one dies in the middle write what one process writes.
  @Test
  void anExecutorThatDiesChangesNothing() throws Exception {
    Path in = rows("questions.jsonl", 60);
    var split =
        List.of("-Dspark.sql.files.maxPartitionBytes=1000", "-Dspark.sql.files.openCostInBytes=0");
    String[] args = {
      "--task",
      "complete",
      "-m",
      TINY.toString(),
      "--input",
      in.toString(),
      "-n",
      "24",
      "--seed",
      "5",
      "--context",
      "256",
      "--output"
    };
    Path whole = temp.resolve("whole.json");
    String said = succeeds(job(split, with(args, whole))).err();
    assertTrue(said.contains("gatun: 60 rows, 2 with errors, "), said);
    Path out = temp.resolve("torn.json");
    var properties = new ArrayList<>(twoExecutors());
    properties.addAll(split);
    var killed = new CompletableFuture<Boolean>();
    var builder = job(properties, with(args, out));
    var killer = Thread.ofVirtual().start(() -> killed.complete(kill(out)));
    succeeds(builder);
    killer.join();
    assertTrue(killed.get(), "no executor was killed");
    assertEquals(written(whole), written(out));

    var rows = written(out);
    assertEquals(60, rows.size());
    for (int i = 0; i < 60; i++) {
      assertEquals(i, rows.get(i).path("id").asInt());
      assertEquals(i != 3 && i != 4, rows.get(i).has("result"), rows.get(i).toString());
    }
    assertTrue(rows.get(3).path("result_error").asText().contains("null"));
    assertTrue(rows.get(4).path("result_error").asText().contains("tokens"));
    assertNotEquals(rows.get(5).path("result"), rows.get(6).path("result"));
  }

  private static String[] with(String[] args, Path output) {
    return Stream.concat(Stream.of(args), Stream.of(output.toString())).toArray(String[]::new);
  }

  /// Kills an executor once a task is done and others are not.
  private static boolean kill(Path out) {
    try {
      for (int i = 0; i < 6000; i++) {
        Optional<ProcessHandle> executor =
            ProcessHandle.current()
                .descendants()
                .filter(p -> !p.parent().equals(Optional.of(ProcessHandle.current())))
                .filter(p -> p.info().command().orElse("").endsWith("java"))
                .findFirst();
        if (executor.isPresent() && isBegun(out)) {
          return executor.get().destroyForcibly();
        }
        TimeUnit.MILLISECONDS.sleep(20);
      }
    } catch (Exception e) {
      return false;
    }
    return false;
  }

  private static boolean isBegun(Path out) throws Exception {
    Path committed = out.resolve("_temporary/0");
    if (!Files.isDirectory(committed)) {
      return false;
    }
    try (Stream<Path> tasks = Files.list(committed)) {
      return tasks.anyMatch(task -> task.getFileName().toString().startsWith("task_"));
    }
  }

  /// Vectors, and the README's own job, which reads what the first has written.
  @Test
  void vectorsAreTheModels() throws Exception {
    Path model = TestData.ROOT.resolve("tests/src/test/resources/encoder/qwen3-embedding");
    Path in = temp.resolve("texts.csv");
    Files.write(in, List.of("id,words", "1,Water that falls.", "2,", "3,A river."));
    Path parquet = temp.resolve("vectors.parquet");
    succeeds(
        job(
            List.of(),
            "--task",
            "embed",
            "-m",
            model.toString(),
            "--stage",
            "--input",
            in.toString(),
            "--column",
            "words",
            "--result",
            "vector",
            "--output",
            parquet.toString()));
    String readme = Files.readString(TestData.ROOT.resolve("README.md"));
    int begin = readme.indexOf("// surprise/Surprise.java");
    Path source = temp.resolve("Surprise.java");
    Files.writeString(
        source,
        readme
            .substring(begin, readme.indexOf("```", begin))
            .replace("\"words\", \"surprise\", \"surprise_error\"", "\"*\"")
            .replace("show(false)", "toJSON().collectAsList().forEach(System.out::println)"));
    var command = job(List.of()).command();
    command.removeLast();
    String path = command.removeLast() + File.pathSeparator + temp;
    command.addAll(List.of(path, "surprise.Surprise", TINY.toString(), parquet.toString()));
    String javac = Path.of(System.getProperty("java.home"), "bin", "javac").toString();
    succeeds(new ProcessBuilder(javac, "-d", temp.toString(), "-cp", path, source.toString()));
    String out = succeeds(new ProcessBuilder(command).directory(temp.toFile())).out();
    assertTrue(out.contains("3 rows, 1 with errors"), out);

    var rows = new ArrayList<JsonNode>();
    for (String line : out.lines().filter(l -> l.startsWith("{")).toList()) {
      rows.add(JSON.readTree(line));
    }
    assertEquals(3, rows.size());
    try (var embedder = TextEmbedder.load(TestData.complete(model), o -> o.threads(1))) {
      float[] expected = embedder.embed(List.of("A river."))[0];
      var found = rows.get(2).path("vector");
      assertEquals(expected.length, found.size());
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], found.path(i).floatValue(), 1e-5f);
      }
    }
    assertFalse(rows.get(1).has("vector") || rows.get(1).has("surprise"));
    assertTrue(rows.get(1).has("vector_error") && rows.get(1).has("surprise_error"));
    assertTrue(rows.get(0).path("surprise").asDouble() > 1);
  }

  @Test
  void mistakesAreTold() throws Exception {
    Path in = rows("few.jsonl", 2);
    Path nowhere = temp.resolve("nowhere.json");
    String[] good = {
      "-m", TINY.toString(), "--input", in.toString(), "--output", nowhere.toString()
    };
    refused("there is no column \"words\"; there are [id, text]", good, "--column", "words");
    refused("no/such.gguf", good, "-m", "no/such.gguf");
    var result = Processes.run(job(List.of("-Dspark.master=local-cluster[1,1,1024]"), good));
    assertEquals(2, result.code());
    assertTrue(result.err().contains("spark.executor.extraJavaOptions"), result.err());
  }

  /// @param more of which an option that is there already comes last
  private static void refused(String message, String[] good, String... more) throws Exception {
    var args = new ArrayList<>(List.of(good));
    int there = args.indexOf(more[0]);
    if (there >= 0) {
      args.set(there + 1, more[1]);
    } else {
      args.addAll(List.of(more));
    }
    var result = Processes.run(job(List.of(), args.toArray(String[]::new)));
    assertEquals(2, result.code(), result.err());
    // What comes before is Spark's log.
    String said = result.err().lines().toList().getLast();
    assertTrue(said.startsWith("gatun spark: ") && said.contains(message), result.err());
  }
}
