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
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/// `gatun spark`, with Spark in a process of its own.
@Execution(ExecutionMode.CONCURRENT)
@ResourceLock("Spark's process")
class SparkTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path TARGET = TestData.ROOT.resolve("tools/spark/target");
  private static final Path TINY = TestData.pretrained("tiny-llm");

  /// Does what each line says, and tells the code that it ends with.
  private static final String DRIVER =
      """
      public class Driver {
        public static void main(String[] none) throws Exception {
          var lines = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
          for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            var job = new com.fasterxml.jackson.databind.ObjectMapper().readTree(line);
            var properties = job.get("properties").properties();
            properties.forEach(p -> System.setProperty(p.getKey(), p.getValue().asText()));
            var args = new java.util.ArrayList<String>();
            job.get("args").forEach(arg -> args.add(arg.asText()));
            int code = 0;
            if (args.getFirst().equals("Surprise")) {
              surprise.Surprise.main(args.subList(1, 3).toArray(String[]::new));
            } else {
              code = io.gatun.spark.GatunJob.run(args.toArray(String[]::new));
            }
            properties.forEach(p -> System.clearProperty(p.getKey()));
            System.out.println("done " + code);
          }
        }
      }
      """;

  @TempDir private static Path temp;

  private static String spark;
  private static String gatun;
  private static Process driver;
  private static BufferedReader said;
  private static Writer jobs;

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
    start();
  }

  /// A process that runs jobs one after the other: what Spark takes to start is taken once.
  private static void start() throws Exception {
    String readme = Files.readString(TestData.ROOT.resolve("README.md"));
    int begin = readme.indexOf("// surprise/Surprise.java");
    Files.writeString(
        temp.resolve("Surprise.java"),
        readme
            .substring(begin, readme.indexOf("```", begin))
            .replace("\"words\", \"surprise\", \"surprise_error\"", "\"*\"")
            .replace("show(false)", "toJSON().collectAsList().forEach(System.out::println)"));
    Files.writeString(temp.resolve("Driver.java"), DRIVER);
    String path = gatun + File.pathSeparator + spark;
    var options = List.of("-proc:none", "-cp", path, "-d", temp.toString());
    Processes.compile(options, temp.resolve("Surprise.java"), temp.resolve("Driver.java"));
    var builder = java("Driver").redirectErrorStream(true);
    driver = builder.start();
    CompletableFuture.delayedExecutor(180, TimeUnit.SECONDS).execute(driver::destroyForcibly);
    said = driver.inputReader();
    jobs = driver.outputWriter();
  }

  @AfterAll
  static void end() throws Exception {
    if (driver != null) {
      jobs.close();
      assertTrue(driver.waitFor(20, TimeUnit.SECONDS));
    }
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

  private static ProcessBuilder java(String main, String... args) {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(Processes.KERNEL_OPTIONS, "-Xmx512m", "-XX:+UseSerialGC"));
    command.addAll(
        List.of("--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"));
    command.addAll(
        List.of("-Dspark.ui.enabled=false", "-Dspark.local.dir=" + temp.resolve("local")));
    command.addAll(List.of("-cp", gatun + File.pathSeparator + spark + File.pathSeparator + temp));
    command.add(main);
    command.addAll(List.of(args));
    var builder = new ProcessBuilder(command).directory(temp.toFile());
    builder.environment().put("SPARK_HOME", temp.resolve("home").toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    return builder;
  }

  /// Runs a job with properties of Spark.
  private static Result job(Map<String, String> properties, String... args) throws IOException {
    var request = JSON.createObjectNode();
    properties.forEach(request.putObject("properties")::put);
    List.of(args).forEach(request.putArray("args")::add);
    jobs.write(request + "\n");
    jobs.flush();
    var out = new StringBuilder();
    for (String line = said.readLine(); line != null; line = said.readLine()) {
      if (line.startsWith("done ")) {
        return new Result(Integer.parseInt(line.substring(5)), out.toString(), out.toString());
      }
      out.append(line).append('\n');
    }
    throw new AssertionError("Spark's process has ended: " + out);
  }

  private static Map<String, String> twoExecutors() {
    return Map.of(
        "spark.master",
        "local-cluster[2,1,1024]",
        "spark.executor.memory",
        "512m",
        "spark.executor.extraClassPath",
        gatun + File.pathSeparator + spark,
        "spark.executor.extraJavaOptions",
        "@%s -XX:+UseSerialGC --add-modules=jdk.incubator.vector"
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

  private static String succeeds(Map<String, String> properties, String... args) throws Exception {
    var result = job(properties, args);
    assertEquals(0, result.code(), result.out());
    return result.out();
  }

  /// Two executors of which one dies in the middle write what one process writes.
  @Test
  void anExecutorThatDiesChangesNothing() throws Exception {
    Path in = rows("questions.jsonl", 60);
    String[] args =
        words(
            "--task complete -n 24 --seed 5 --context 256 -m %s --input %s --output"
                .formatted(TINY, in));
    var split = new HashMap<String, String>();
    split.put("spark.sql.files.maxPartitionBytes", "1000");
    split.put("spark.sql.files.openCostInBytes", "0");
    Path whole = temp.resolve("whole.json");
    String told = succeeds(split, with(args, whole));
    assertTrue(told.contains("gatun: 60 rows, 2 with errors, "), told);
    Path out = temp.resolve("torn.json");
    split.putAll(twoExecutors());
    var killed = new CompletableFuture<Boolean>();
    var killer = Thread.ofVirtual().start(() -> killed.complete(kill(out)));
    succeeds(split, with(args, out));
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

  private static String[] words(String line) {
    return line.split(" ", -1);
  }

  private static String[] with(String[] args, Path output) {
    return Stream.concat(Stream.of(args), Stream.of(output.toString())).toArray(String[]::new);
  }

  /// Kills an executor once a task is done and others are not.
  private static boolean kill(Path out) {
    try {
      for (int i = 0; i < 6000; i++) {
        Optional<ProcessHandle> executor =
            driver
                .descendants()
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
        Map.of(),
        words(
            "--task embed -m %s --stage --input %s --column words --result vector --output %s"
                .formatted(model, in, parquet)));
    String out = succeeds(Map.of(), "Surprise", TINY.toString(), parquet.toString());
    assertTrue(out.contains("3 rows, 1 with errors"), out);

    var rows = new ArrayList<JsonNode>();
    for (String row : out.lines().filter(l -> l.startsWith("{")).toList()) {
      rows.add(JSON.readTree(row));
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
  void picturesThatCannotBeReadHarmNoOthers() throws Exception {
    Path good = TestData.pretrained("tiny-sam").resolve("scene1.png");
    Path bad = Files.writeString(temp.resolve("bad.png"), "no picture");
    Path in = temp.resolve("pictures.csv");
    Files.write(
        in, List.of("id,path", "1,no/such.png", "2," + good, "3," + bad, "4,", "5," + temp));
    Path out = temp.resolve("masks.json");
    succeeds(
        Map.of(),
        words(
            "--task segment -m %s --points-per-side 2 --input %s --column path --output %s"
                .formatted(TestData.pretrained("tiny-sam"), in, out)));
    var rows = written(out);
    assertTrue(rows.get(1).path("result").path(0).path("area").asInt() > 0, rows.toString());
    var errors = List.of("no such file", "", "is no image", "null", "is a directory");
    for (int i = 0; i < 5; i++) {
      String error = rows.get(i).path("result_error").asText();
      assertEquals(errors.get(i).isEmpty(), error.isEmpty(), error);
      assertTrue(error.contains(errors.get(i)), error);
    }
  }

  @Test
  void mistakesAreTold() throws Exception {
    Path in = rows("few.jsonl", 2);
    String[] good =
        words("-m %s --input %s --output %s".formatted(TINY, in, temp.resolve("nowhere.json")));
    refused("there is no column \"words\"; there are [id, text]", good, "--column", "words");
    refused("no/such.gguf", good, "-m", "no/such.gguf");
    refused("no/such.jsonl", good, "--input", "no/such.jsonl");
    refused("system (--system) is set, which complete does not use", good, "--system", "x");
    refused("temperature is -1.0; need 0 or more", good, "--temp", "-1");
    refused("it is for embed", good, "--batch", "4");
    var schema = Files.writeString(temp.resolve("schema.json"), "{\"type\": \"thing\"}");
    refused("thing", good, "--schema", schema.toString());
    // This one in a process of its own, which ends with the job.
    var command = java("io.gatun.spark.GatunJob", good);
    command.command().add(1, "-Dspark.master=local-cluster[1,1,1024]");
    var result = Processes.run(command);
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
    var result = job(Map.of(), args.toArray(String[]::new));
    assertEquals(2, result.code(), result.out());
    // What comes before is Spark's log.
    String last = result.out().lines().toList().getLast();
    assertTrue(last.startsWith("gatun spark: ") && last.contains(message), result.out());
  }

  /// The launcher shows it where there is no Spark.
  @Test
  void helpIsWhatTheJobSays() throws Exception {
    String told = succeeds(Map.of(), "--help");
    String kept = Files.readString(TestData.ROOT.resolve("tools/spark.help"));
    assertTrue(told.endsWith(kept), told);
    var launcher = new ProcessBuilder(TestData.ROOT.resolve("tools/gatun").toString());
    launcher.command().addAll(List.of("spark", "--help"));
    launcher.environment().remove("SPARK_HOME");
    launcher.environment().put("PATH", "/usr/bin:/bin");
    var result = Processes.run(launcher);
    assertEquals(kept, result.out());
  }
}
