package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The command line as a user types it, through the launcher, on what this build has packaged.
class CommandLineTest {
  private static final String TINY_LLM = TestData.pretrained("tiny-llm").toString();

  @TempDir private static Path temp;

  private static Launcher launcher;

  @BeforeAll
  static void isBuilt() {
    launcher = Launcher.in(temp);
  }

  private static Result gatun(String... args) throws Exception {
    return launcher.gatun(args);
  }

  /// A file with this header and one byte of data, or none if no tensor is in the header.
  private static Path safetensors(String name, String header) throws IOException {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    int data = header.contains("dtype") ? 1 : 0;
    var file = ByteBuffer.allocate(8 + text.length + data);
    file.order(ByteOrder.LITTLE_ENDIAN).putLong(text.length).put(text);
    return Files.write(temp.resolve(name), file.array());
  }

  @Test
  void printsItsVersion() throws Exception {
    Result result = gatun("--version");
    assertEquals(0, result.code(), result.err());
    assertTrue(result.out().matches("gatun \\d+\\.\\d+\\.\\d+\\R"), result.out());
  }

  /// Else each command takes longer to start; the JVM itself says nothing.
  @Test
  void classesComeFromTheArchive() throws Exception {
    Path log = temp.resolve("classes.log");
    Result result =
        launcher
            .with("GATUN_JAVA_OPTS", "-Xlog:class+load:file=" + log)
            .gatun("generate", "--max-tokens=2", "--quiet");
    assertEquals(0, result.code(), result.err());
    var loaded = Files.readAllLines(log);
    long archived = loaded.stream().filter(c -> c.contains("shared objects file")).count();
    assertTrue(archived > 0.85 * loaded.size(), archived + " of " + loaded.size());
    long parser = loaded.stream().filter(c -> c.matches(".* picocli\\..*file:.*")).count();
    assertTrue(parser < 10, parser + " of picocli's");
  }

  @Test
  void debugSaysWhyTheArchiveIsNotUsed() throws Exception {
    var other = launcher.with("GATUN_JAVA_OPTS", "-XX:ObjectAlignmentInBytes=16");
    Result result = other.gatun("inspect", "--debug", TINY_LLM);
    assertEquals(0, result.code(), result.err());
    assertTrue(result.err().contains("without the class archive: Unable to use"), result.err());
    assertFalse(gatun("--version", "--debug").err().contains("archive"));
  }

  @Test
  void helpListsTheCommands() throws Exception {
    Result result = InProcess.gatun("--help");
    assertEquals(0, result.code(), result.err());
    assertTrue(result.out().contains("inspect"), result.out());
    assertTrue(result.out().contains("doctor"), result.out());
    assertTrue(result.out().contains("bench"), result.out());
  }

  @Test
  void startsThroughLinksFromAnywhere() throws Exception {
    Path folder = Files.createDirectories(temp.resolve("a folder"));
    Path first = folder.resolve("first");
    Files.createSymbolicLink(first, TestData.ROOT.resolve("tools/gatun"));
    Path second = temp.resolve("second");
    Files.createSymbolicLink(second, Path.of("a folder", "first"));
    Result result = launcher.run(folder, List.of(second.toString(), "--version"));
    assertEquals(0, result.code(), result.err());
    assertTrue(result.out().startsWith("gatun "), result.out());
  }

  @Test
  void saysNothingButWhatItMust() throws Exception {
    Result result = gatun("inspect", TINY_LLM);
    // The JVM itself says that the Vector API is incubating, and cannot be told not to.
    assertEquals("WARNING: Using incubator modules: jdk.incubator.vector", result.err().strip());
  }

  @Test
  void inspectListsTheModelThatShips() throws Exception {
    Result result = InProcess.gatun("inspect", TINY_LLM);
    assertEquals(0, result.code(), result.err());
    assertTrue(
        result.out().matches("(?s).*model\\.norm\\.weight +BF16 +\\(128,\\) +256\\n.*"),
        result.out());
    assertTrue(result.out().contains("1,238,656"), result.out());
  }

  @Test
  void inspectPrintsJson() throws Exception {
    Result result =
        InProcess.gatun("inspect", "--json", "--tensors", "layers\\.0\\..*norm", TINY_LLM);
    assertEquals(0, result.code(), result.err());
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
    Result result = InProcess.gatun("inspect", path.toString());
    assertEquals(0, result.code(), result.err());
    assertTrue(result.out().contains("a\\u001b[2J"), result.out());
    assertFalse(result.out().contains("\u001b"), "an escape character reached the terminal");
  }

  @Test
  void refusesAMissingFile() throws Exception {
    Launcher.assertRefused(
        InProcess.gatun("inspect", "nowhere.gguf"), "nowhere.gguf", "no such file");
  }

  @Test
  void refusesADirectoryWithoutAModel() throws Exception {
    Path empty = Files.createDirectories(temp.resolve("empty"));
    Launcher.assertRefused(
        InProcess.gatun("inspect", empty.toString()), "no model in this directory");
  }

  @Test
  void refusesATruncatedFile() throws Exception {
    byte[] whole = Files.readAllBytes(TestData.pretrained("tiny-llm/model.safetensors"));
    Path file = temp.resolve("truncated.safetensors");
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    Launcher.assertRefused(InProcess.gatun("inspect", file.toString()), "truncated");
  }

  @Test
  void refusesAnUnknownOption() throws Exception {
    Launcher.assertRefused(
        InProcess.gatun("inspect", "--jsn", TINY_LLM), "--jsn", "--json", "gatun inspect --help");
  }

  @Test
  void suggestsTheNearestCommand() throws Exception {
    Launcher.assertRefused(
        InProcess.gatun("inspekt", TINY_LLM),
        "There is no command 'inspekt'",
        "Did you mean: gatun inspect");
  }

  @Test
  void refusesABadRegularExpression() throws Exception {
    Launcher.assertRefused(
        InProcess.gatun("inspect", "--tensors", "(", TINY_LLM),
        "--tensors",
        "'(' is no regular expression");
  }

  @Test
  void debugShowsTheStackTrace() throws Exception {
    Result result = InProcess.gatun("inspect", "--debug", "nowhere.gguf");
    assertEquals(2, result.code());
    assertTrue(result.err().contains("\tat io.gatun"), result.err());
  }

  @Test
  void saysThatMemoryIsShort() throws Exception {
    String text = "x".repeat(32 << 20);
    Path file = safetensors("long.safetensors", "{\"__metadata__\":{\"a\":\"" + text + "\"}}");
    var littleHeap = launcher.with("GATUN_JAVA_OPTS", "-Xmx16m");
    Launcher.assertRefused(littleHeap.gatun("inspect", file.toString()), "out of memory", "-Xmx1g");
  }

  @Test
  void doctorDescribesTheMachine() throws Exception {
    Result result = gatun("doctor", "--json");
    assertEquals(0, result.code(), result.err());
    JsonNode json = result.json();
    assertTrue(json.at("/java/c2").asBoolean(), result.out());
    assertTrue(json.at("/vectors/module").asBoolean(), result.out());
    assertTrue(json.at("/vectors/bits").asInt() >= 64, result.out());
    assertTrue(json.at("/memory/total").asLong() > 1 << 20, result.out());
    assertTrue(json.at("/native/OpenBLAS/loaded").asBoolean(), result.out());
    assertTrue(Files.exists(Path.of(json.at("/native/OpenBLAS/path").asText())), result.out());
  }

  @Test
  void doctorSeesEveryWayToLoseC2() throws Exception {
    Result result = launcher.with("GATUN_JAVA_OPTS", "-XX:TieredStopAtLevel=3").gatun("doctor");
    assertEquals(0, result.code(), result.err());
    assertTrue(result.out().contains("PROBLEM: Java's C2 compiler is switched off"), result.out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"-Xint", "-XX:TieredStopAtLevel=1"})
  void everyCommandWarnsOfASlowJava(String flag) throws Exception {
    Result result = launcher.with("GATUN_JAVA_OPTS", flag).gatun("--version");
    assertEquals(0, result.code(), result.err());
    assertTrue(result.err().contains("gatun: WARNING: Java"), result.err());
    assertTrue(result.err().contains("GATUN_JAVA_OPTS"), result.err());
  }

  /// As in many containers and services.
  @Test
  void needsNoHome() throws Exception {
    var command =
        List.of(
            "env",
            "-u",
            "HOME",
            "-u",
            "JAVA_HOME",
            "-u",
            "GATUN_JAVA_HOME",
            "PATH=/usr/bin:/bin",
            TestData.ROOT.resolve("tools/gatun").toString(),
            "--which-jdk");
    Result result = launcher.run(temp, command);
    // It looks in every place for a JDK, and may find none there.
    assertTrue(result.code() == 0 || result.err().contains("needs a JDK 25"), result.err());
    Result version = launcher.run(temp, List.of("env", "-u", "HOME", command.get(8), "--version"));
    assertEquals(0, version.code(), version.err());
  }

  @Test
  void saysWhichJavaItNeeds() throws Exception {
    Path old = Files.createDirectories(temp.resolve("jdk-17/bin")).getParent();
    Files.writeString(old.resolve("release"), "JAVA_VERSION=\"17.0.2\"\n");
    Files.createFile(old.resolve("bin/javac")).toFile().setExecutable(true);
    Launcher.assertRefused(
        launcher.with("GATUN_JAVA_HOME", old.toString()).gatun("--version"),
        "GATUN_JAVA_HOME",
        "JDK 25");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bench system --threads 0",
        "bench llm --threads 0",
        "bench llm --prompt-tokens 128,0",
        "bench llm --depth -1",
        "bench sam --threads 0",
        "bench sam --batch 0",
        "bench diffusion --threads 0",
        "bench diffusion --runs 0",
        "chat --threads 0",
        "generate --context 0",
        "generate --max-tokens 0",
        "segment -i x.png --point 1,1 --threads 0",
        "imagine x --threads 0",
        "quantize -m x --out y --threads 0",
      })
  void numbersOfNothing(String line) throws Exception {
    String[] words = line.split(" ");
    Launcher.assertRefused(
        InProcess.gatun(words),
        words[words.length - 2],
        "is not a whole number of at least 1",
        "See: ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "bench|What to measure is not given",
        "bench llm --weights q3|--weights is q3; need one of",
        "bench diffusion --shape vit_b|--shape is vit_b; need one of",
        "bench diffusion --dtype f16|'f16' is not one of bf16, f32",
        "bench sam --quantize q8|'q8' is not one of none, int8, int8-dynamic",
        "cache|list or clear",
        "cache clear nothing|nothing named \"nothing\"",
        "cache list --jso|--json",
        "doctor extra|'extra'",
        "doctor --jsn|--json",
        "--vers|Unknown option: '--vers'",
      })
  void wrongWords(String line, String message) throws Exception {
    Launcher.assertRefused(InProcess.gatun(line.split(" ")), message);
  }

  /// The launcher's own words.
  @Test
  void aScriptThatIsNotThere() throws Exception {
    Launcher.assertRefused(gatun("jshell", "nowhere.jsh"), "nowhere.jsh: there is no such file");
  }
}
