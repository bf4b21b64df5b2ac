package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The command line as a user types it, through the launcher, on what this build has packaged.
class CommandLineTest {
  private static final String TINY_LLM = TestData.pretrained("tiny-llm").toString();

  @TempDir private static Path temp;

  private record Result(int code, String out, String err) {
    JsonNode json() throws IOException {
      return new ObjectMapper().readTree(out);
    }
  }

  @BeforeAll
  static void isBuilt() {
    assumeTrue(
        Files.exists(TestData.ROOT.resolve("tools/target/built")),
        "nothing is packaged: run mvn verify, or mvn package");
    assumeTrue(Files.exists(Path.of("/bin/sh")), "no POSIX shell");
  }

  private static Result gatun(Map<String, String> environment, Path directory, String... args)
      throws Exception {
    var command = new ArrayList<String>(args.length + 1);
    command.add(TestData.ROOT.resolve("tools/gatun").toString());
    command.addAll(List.of(args));
    return run(environment, directory, command);
  }

  private static Result gatun(String... args) throws Exception {
    return gatun(Map.of(), temp, args);
  }

  private static Result run(Map<String, String> environment, Path directory, List<String> command)
      throws Exception {
    Path out = Files.createTempFile(temp, "out", ".txt");
    Path err = Files.createTempFile(temp, "err", ".txt");
    var builder =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    // The build that these tests are part of must not be started again by them.
    builder.environment().put("GATUN_BUILD", "never");
    builder.environment().put("GATUN_JAVA_HOME", System.getProperty("java.home"));
    builder.environment().remove("GATUN_JAVA_OPTS");
    builder.environment().putAll(environment);
    int code = builder.start().waitFor();
    return new Result(code, read(out), read(err));
  }

  private static String read(Path file) throws IOException {
    return Files.readString(file, StandardCharsets.UTF_8);
  }

  /// A file with this header and one byte of data, or none if no tensor is in the header.
  private static Path safetensors(String name, String header) throws IOException {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    int data = header.contains("dtype") ? 1 : 0;
    var file = ByteBuffer.allocate(8 + text.length + data);
    file.order(ByteOrder.LITTLE_ENDIAN).putLong(text.length).put(text);
    return Files.write(temp.resolve(name), file.array());
  }

  /// A mistake of the user's: exit code 2, these words on stderr, and no stack trace.
  private static void assertRefused(Result result, String... words) {
    assertEquals(2, result.code, result.err);
    assertEquals("", result.out);
    assertFalse(result.err.contains("\tat "), result.err);
    assertFalse(result.err.contains("internal error"), result.err);
    for (String word : words) {
      assertTrue(result.err.contains(word), result.err);
    }
  }

  @Test
  void printsItsVersion() throws Exception {
    Result result = gatun("--version");
    assertEquals(0, result.code, result.err);
    assertTrue(result.out.matches("gatun \\d+\\.\\d+\\.\\d+\\R"), result.out);
  }

  @Test
  void helpListsTheCommands() throws Exception {
    Result result = gatun("--help");
    assertEquals(0, result.code, result.err);
    assertTrue(result.out.contains("inspect"), result.out);
    assertTrue(result.out.contains("doctor"), result.out);
    assertTrue(result.out.contains("bench"), result.out);
  }

  @Test
  void startsThroughLinksFromAnywhere() throws Exception {
    Path folder = Files.createDirectories(temp.resolve("a folder"));
    Path first = folder.resolve("first");
    Files.createSymbolicLink(first, TestData.ROOT.resolve("tools/gatun"));
    Path second = temp.resolve("second");
    Files.createSymbolicLink(second, Path.of("a folder", "first"));
    Result result = run(Map.of(), folder, List.of(second.toString(), "--version"));
    assertEquals(0, result.code, result.err);
    assertTrue(result.out.startsWith("gatun "), result.out);
  }

  @Test
  void saysNothingButWhatItMust() throws Exception {
    Result result = gatun("inspect", TINY_LLM);
    // The JVM itself says that the Vector API is incubating, and cannot be told not to.
    assertEquals("WARNING: Using incubator modules: jdk.incubator.vector", result.err.strip());
  }

  @Test
  void inspectListsTheModelThatShips() throws Exception {
    Result result = gatun("inspect", TINY_LLM);
    assertEquals(0, result.code, result.err);
    assertTrue(
        result.out.matches("(?s).*model\\.norm\\.weight +BF16 +\\(128,\\) +256\\n.*"), result.out);
    assertTrue(result.out.contains("1,238,656"), result.out);
  }

  @Test
  void inspectPrintsJson() throws Exception {
    Result result = gatun("inspect", "--json", "--tensors", "layers\\.0\\..*norm", TINY_LLM);
    assertEquals(0, result.code, result.err);
    JsonNode json = result.json();
    assertEquals("SAFETENSORS", json.at("/format").asText());
    assertEquals("pt", json.at("/metadata/format").asText());
    assertEquals(2, json.at("/tensors").size());
    assertEquals("BF16", json.at("/tensors/0/dtype").asText());
    assertEquals(128, json.at("/tensors/0/shape/0").asInt());
    assertEquals(512, json.at("/types/BF16/bytes").asInt());
    assertEquals(256, json.at("/totals/parameters").asInt());
  }

  @Test
  void filesCannotCommandTheTerminal() throws Exception {
    Path path =
        safetensors(
            "escape.safetensors",
            "{\"a\\u001b[2J\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}");
    Result result = gatun("inspect", path.toString());
    assertEquals(0, result.code, result.err);
    assertTrue(result.out.contains("a\\u001b[2J"), result.out);
    assertFalse(result.out.contains("\u001b"), "an escape character reached the terminal");
  }

  @Test
  void refusesAMissingFile() throws Exception {
    assertRefused(gatun("inspect", "nowhere.gguf"), "nowhere.gguf", "no such file");
  }

  @Test
  void refusesADirectoryWithoutAModel() throws Exception {
    Path empty = Files.createDirectories(temp.resolve("empty"));
    assertRefused(gatun("inspect", empty.toString()), "no model in this directory");
  }

  @Test
  void refusesATruncatedFile() throws Exception {
    byte[] whole = Files.readAllBytes(TestData.pretrained("tiny-llm/model.safetensors"));
    Path file = temp.resolve("truncated.safetensors");
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    assertRefused(gatun("inspect", file.toString()), "truncated");
  }

  @Test
  void refusesAnUnknownOption() throws Exception {
    assertRefused(gatun("inspect", "--jsn", TINY_LLM), "--jsn", "--json", "gatun inspect --help");
  }

  @Test
  void suggestsTheNearestCommand() throws Exception {
    assertRefused(gatun("inspekt", TINY_LLM), "Did you mean: gatun inspect");
  }

  @Test
  void refusesABadRegularExpression() throws Exception {
    assertRefused(gatun("inspect", "--tensors", "(", TINY_LLM), "--tensors");
  }

  @Test
  void debugShowsTheStackTrace() throws Exception {
    Result result = gatun("inspect", "--debug", "nowhere.gguf");
    assertEquals(2, result.code);
    assertTrue(result.err.contains("\tat io.gatun"), result.err);
  }

  @Test
  void saysThatMemoryIsShort() throws Exception {
    String text = "x".repeat(32 << 20);
    Path file = safetensors("long.safetensors", "{\"__metadata__\":{\"a\":\"" + text + "\"}}");
    var littleHeap = Map.of("GATUN_JAVA_OPTS", "-Xmx16m");
    assertRefused(gatun(littleHeap, temp, "inspect", file.toString()), "out of memory", "-Xmx1g");
  }

  @Test
  void doctorDescribesTheMachine() throws Exception {
    Result result = gatun("doctor", "--json");
    assertEquals(0, result.code, result.err);
    JsonNode json = result.json();
    assertTrue(json.at("/java/c2").asBoolean(), result.out);
    assertTrue(json.at("/vectors/module").asBoolean(), result.out);
    assertTrue(json.at("/vectors/bits").asInt() >= 64, result.out);
    assertTrue(json.at("/memory/total").asLong() > 1 << 20, result.out);
    assertTrue(json.at("/native/OpenBLAS/loaded").asBoolean(), result.out);
    assertTrue(Files.exists(Path.of(json.at("/native/OpenBLAS/path").asText())), result.out);
  }

  @Test
  void doctorSeesEveryWayToLoseC2() throws Exception {
    Result result = gatun(Map.of("GATUN_JAVA_OPTS", "-XX:TieredStopAtLevel=3"), temp, "doctor");
    assertEquals(0, result.code, result.err);
    assertTrue(result.out.contains("PROBLEM: Java's C2 compiler is switched off"), result.out);
  }

  @ParameterizedTest
  @ValueSource(strings = {"-Xint", "-XX:TieredStopAtLevel=1"})
  void everyCommandWarnsOfASlowJava(String flag) throws Exception {
    Result result = gatun(Map.of("GATUN_JAVA_OPTS", flag), temp, "--version");
    assertEquals(0, result.code, result.err);
    assertTrue(result.err.contains("gatun: WARNING: Java"), result.err);
    assertTrue(result.err.contains("GATUN_JAVA_OPTS"), result.err);
  }

  @Test
  void saysWhichJavaItNeeds() throws Exception {
    Path old = Files.createDirectories(temp.resolve("jdk-17/bin")).getParent();
    Files.writeString(old.resolve("release"), "JAVA_VERSION=\"17.0.2\"\n");
    Files.createFile(old.resolve("bin/javac")).toFile().setExecutable(true);
    assertRefused(
        gatun(Map.of("GATUN_JAVA_HOME", old.toString()), temp, "--version"),
        "GATUN_JAVA_HOME",
        "JDK 25");
  }

  @Test
  void benchRefusesNoThreads() throws Exception {
    assertRefused(gatun("bench", "system", "--threads", "0"), "--threads");
  }
}
