package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tests.TestData;
import io.gatun.tools.console.Stdio;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Where results go: to a full disk, to a pipe that nobody reads any more, to a terminal.
class OutputTest {
  private static final String TINY_LLM = TestData.pretrained("tiny-llm").toString();

  /// Takes so many bytes and then no more.
  private static final class Full extends OutputStream {
    private final String problem;
    private int left;

    Full(int left, String problem) {
      this.left = left;
      this.problem = problem;
    }

    @Override
    public void write(int b) throws IOException {
      if (left-- <= 0) {
        throw new IOException(problem);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--help",
        "--version",
        "inspect TINY",
        "inspect --json TINY",
        "doctor",
        "doctor --json",
        "tokenize -p KING",
        "cache list",
        "cache list --json",
        "generate -p KING -n 2",
        "segment --help",
      })
  void whatCannotBeWrittenIsAFailure(String line) {
    String[] words = line.replace("TINY", TINY_LLM).split(" ");
    var err = new ByteArrayOutputStream();
    assertEquals(1, InProcess.gatun(new Full(0, "No space left on device"), err, words));
    assertEquals(
        "gatun: the output cannot be written: No space left on device\n",
        err.toString(StandardCharsets.UTF_8));
    err.reset();
    assertEquals(141, InProcess.gatun(new Full(0, "Broken pipe"), err, words));
    assertEquals("", err.toString(StandardCharsets.UTF_8));
  }

  /// All of these tokens would take an hour.
  @Test
  void writingEndsWhereNobodyReads() {
    var err = new ByteArrayOutputStream();
    long start = System.nanoTime();
    String[] words = "generate -p KING -n 10000000 --context-shift --seed 1".split(" ");
    assertEquals(141, InProcess.gatun(new Full(50, "Broken pipe"), err, words));
    assertEquals("", err.toString(StandardCharsets.UTF_8));
    assertTrue(System.nanoTime() - start < 120e9);
  }

  /// As the operating system refuses, not as a test pretends.
  @Test
  void pipesAndFullDisksOfTheRealWorld(@TempDir Path temp) throws Exception {
    var launcher = Launcher.in(temp);
    String gatun = "'" + TestData.ROOT.resolve("tools/gatun") + "'";
    if (Files.exists(Path.of("/dev/full"))) {
      var full =
          launcher.run(temp, List.of("/bin/sh", "-c", "exec " + gatun + " doctor >/dev/full"));
      assertEquals(1, full.code(), full.err());
      assertTrue(full.err().contains("the output cannot be written: "), full.err());
    }
    String endless = gatun + " generate -q -p KING -n 100000 --context-shift; echo $? >&2";
    var head = launcher.run(temp, List.of("/bin/sh", "-c", "(" + endless + ") | head -1"));
    assertTrue(head.err().endsWith("\n141\n"), head.err());
    assertEquals(1, head.out().lines().count());
  }

  private static String tokens(boolean terminal, String text) {
    var out = new ByteArrayOutputStream();
    var stdio =
        new Stdio(
            InputStream.nullInputStream(), out, OutputStream.nullOutputStream(), false, terminal);
    assertEquals(0, InProcess.gatun(stdio, "tokenize", "--decode", text, "--no-special"));
    return out.toString(StandardCharsets.UTF_8);
  }

  @Test
  void textFromFilesCannotCommandATerminal() {
    var ids = InProcess.reading("a\u001b]0;x\u0007\u009b2J\u202eé\r\n", "tokenize", "--json");
    String json = ids.out();
    String list = json.replaceAll("(?s).*\"ids\" : \\[([^]]*)].*", "$1");
    String asItIs = "a\u001b]0;x\u0007\u009b2J\u202eé\r\n\n";
    assertEquals(asItIs, tokens(false, list));
    assertEquals("a\\u001b]0;x\\u0007\\u009b2J\\u202eé\\u000d\n\n", tokens(true, list));
  }

  @Test
  void messagesNeverCommandATerminal() {
    var result = InProcess.gatun("inspect", "no\u001b[2Jwhere");
    assertFalse(result.err().contains("\u001b"), result.err());
    assertTrue(result.err().contains("no\\u001b[2Jwhere"), result.err());
  }

  @Test
  void longMessagesAreCut() {
    var result = InProcess.gatun("tokenize", "--decode", "x".repeat(100_000));
    assertEquals(2, result.code());
    assertTrue(result.err().length() < 4500, "has " + result.err().length() + " characters");
    assertTrue(result.err().contains("... (100"), result.err().substring(4000));
    assertTrue(result.err().contains("See: gatun tokenize --help"));
  }
}
