package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `--json-schema`, `--grammar`, `--regex` and `--choice`.
class ConstraintOptionsTest {
  @Test
  void theCommandLineHasAllForms(@TempDir Path dir) throws Exception {
    Path grammar = Files.writeString(dir.resolve("g.gbnf"), "root ::= \"yes\" | \"no\"");
    Path schema = Files.writeString(dir.resolve("s.json"), "{\"enum\": [\"yes\", \"no\"]}");
    String[][] forms = {
      {"--grammar", grammar.toString()},
      {"--json-schema", schema.toString()},
      {"--json-schema", "{\"enum\": [\"yes\", \"no\"]}"},
      {"--regex", "(yes|no)"},
      {"--choice", "yes", "--choice=no"}
    };
    for (String[] form : forms) {
      var args =
          Stream.concat(
              Stream.of("generate", "-m", "tiny-llm", "-q", "-p", "Is it?"), Stream.of(form));
      var ran = InProcess.gatun(args.toArray(String[]::new));
      assertEquals(0, ran.code(), ran.err());
      assertTrue(ran.out().strip().replace("\"", "").matches("yes|no"), ran.out());
    }
    var wrong = InProcess.gatun("generate", "-m", "nowhere", "-p", "a", "--regex", "(a");
    assertEquals(2, wrong.code());
    assertTrue(wrong.err().contains("pattern (a, at character 1: the group"), wrong.err());
    var two =
        InProcess.gatun("generate", "-m", "nowhere", "-p", "a", "--regex", "a", "--choice", "b");
    assertEquals(2, two.code());
    assertTrue(two.err().contains("Give one of --json-schema"), two.err());
  }
}
