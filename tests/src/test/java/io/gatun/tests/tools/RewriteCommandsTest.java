package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun quantize`, `pack` and `cache` as a user types them.
class RewriteCommandsTest {
  private static final String TINY_LLM = TestData.pretrained("tiny-llm").toString();

  @TempDir private static Path temp;

  @Test
  void aQuantizedModelRunsByItself() throws Exception {
    String out = temp.resolve("int4").toString();
    Result made = InProcess.gatun("quantize", "--model", TINY_LLM, "--mode", "int4", "--out", out);
    assertEquals(0, made.code(), made.err());
    assertTrue(made.out().contains("2.36 MiB"), made.out());
    Result run = InProcess.gatun("generate", "-m", out, "-p", "ROMEO:", "-n", "8", "--temp", "0");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().startsWith("ROMEO:"), run.out());

    Result again = InProcess.gatun("quantize", "--model", TINY_LLM, "--out", out);
    assertEquals(2, again.code(), again.err());
    assertTrue(again.err().contains("--force"), again.err());
    Result forced = InProcess.gatun("quantize", "--model", TINY_LLM, "--out", out, "--force");
    assertEquals(0, forced.code(), forced.err());
    Launcher.assertRefused(
        InProcess.gatun("quantize", "-m", out, "--mode", "int8", "--out", out, "--force"),
        "where the model itself lies");
  }

  @Test
  void refusesWhatItCannotDo() throws Exception {
    String out = temp.resolve("refused").toString();
    Launcher.assertRefused(
        InProcess.gatun("quantize", "-m", TINY_LLM, "--group-size", "48", "--out", out),
        "need 32, 64 or 128");
    String nowhere = temp.resolve("no/such/folder").toString();
    Launcher.assertRefused(
        InProcess.gatun("quantize", "-m", TINY_LLM, "--out", nowhere), "there is no folder");
    Launcher.assertRefused(
        InProcess.gatun("pack", "-m", TINY_LLM, "--out", out), "no matrices with a tiled form");
    String sam = TestData.pretrained("tiny-sam").toString();
    Launcher.assertRefused(
        InProcess.gatun("quantize", "-m", sam, "--out", out), "model_type is \"sam\"");
    assertFalse(Files.exists(Path.of(out)));
  }

  @Test
  void aGgufFileIsPackedOnceIntoTheCache() throws Exception {
    String model = temp.resolve("tiny.gguf").toString();
    Result made = InProcess.gatun("quantize", "-m", TINY_LLM, "--mode", "q4_0", "-o", model);
    assertEquals(0, made.code(), made.err());
    String[] generate = {"generate", "-m", model, "-p", "KING", "-n", "8", "--temp", "0", "-q"};
    Result first = cached(generate);
    assertEquals(0, first.code(), first.err());
    assertTrue(first.err().contains("packing its"), first.err());
    Result second = cached(generate);
    assertFalse(second.err().contains("packing its"), second.err());
    assertEquals(first.out(), second.out());

    Result list = cached("cache", "list");
    assertEquals(0, list.code(), list.err());
    var line = Pattern.compile("(packed/tiny-[0-9a-f]{16}\\.gguf)").matcher(list.out());
    assertTrue(line.find(), list.out());
    String name = line.group(1);
    Launcher.assertRefused(cached("cache", "clear", "nothing"), "nothing named");
    Result cleared = cached("cache", "clear", name, "--json");
    assertEquals(name, cleared.json().at("/removed/0/name").asText());
    assertEquals(1, cleared.json().at("/removed").size());
    assertFalse(cached("cache", "list").out().contains("packed/"));
    Result never =
        cached("generate", "-m", model, "-p", "KING", "-n", "1", "-q", "--pack", "never");
    assertEquals(0, never.code(), never.err());
    assertFalse(never.err().contains("packing its"), never.err());
  }

  private static Result cached(String... args) {
    return InProcess.cachedIn(temp.resolve("cache"), args);
  }
}
