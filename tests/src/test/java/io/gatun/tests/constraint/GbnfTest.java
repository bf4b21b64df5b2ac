package io.gatun.tests.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.ConstraintException;
import io.gatun.models.text.Tokenizer;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Grammars in llama.cpp's form.
class GbnfTest {
  private static final Path FOLDER =
      TestData.ROOT.resolve("tests/src/test/resources/constraint/grammars");
  private static final Tokenizer TOKENIZER = Walks.tokenizer();

  static Stream<Path> examples() throws IOException {
    try (var files = Files.list(FOLDER)) {
      return files.filter(f -> f.toString().endsWith(".gbnf")).sorted().toList().stream();
    }
  }

  /// Beside each grammar is a list of texts, of which those that begin with `+` are its own.
  @ParameterizedTest
  @MethodSource("examples")
  void takesItsTextsAndNoOthers(Path file) throws IOException {
    var constraint = Constraint.gbnf(Files.readString(file));
    var random = new Random(1);
    for (var entry :
        new ObjectMapper().readTree(Path.of(file.toString().replace(".gbnf", ".json")).toFile())) {
      String text = entry.asText().substring(1);
      assertEquals(
          entry.asText().startsWith("+"), Walks.accepts(constraint, TOKENIZER, text, random), text);
    }
    for (int i = 0; i < 10; i++) {
      String text = Walks.random(constraint, TOKENIZER, 60, random);
      assertTrue(Walks.accepts(constraint, TOKENIZER, text, random), text);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      textBlock =
          """
          start ::= "a"                    ~ no rule root
          root ::= other                   ~ line 1, column 10: there is no rule other
          root ::= "a                      ~ line 1, column 10: the text that begins here is not closed
          root ::= [a-                     ~ the class that begins here is not closed
          root ::= [z-a]                   ~ the range runs backwards
          root ::= ("a"                    ~ the parenthesis that opens here is not closed
          root ::= "a")                    ~ unexpected ')'
          root ::= *                       ~ nothing before '*'
          root ::= "a"{3,2}                ~ the least, 3, is more than the most, 2
          root ::= "a"{,2}                 ~ expected a number
          root ::= "a"{1,1000000000}       ~ at most 16,777,216
          root ::= "\\q"                    ~ unknown escape \\q
          root ::= "\\uD800"                ~ U+D800 is no character
          root ::= <[1000]>                ~ tokens by number (<[...]>) are not supported
          root = "a"                       ~ expected ::= after the name root
          root ::= root                    ~ no text at all would be valid
          root ::= "a" root                ~ no text at all would be valid
          root ::= (root "b"){600,} | "a"  ~ begin with itself
          """)
  void saysWhatIsWrong(String grammar, String message) {
    var e = assertThrows(ConstraintException.class, () -> Constraint.gbnf(grammar));
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @Test
  void aRuleTwiceIsAnError() {
    var e =
        assertThrows(
            ConstraintException.class, () -> Constraint.gbnf("root ::= \"a\"\nroot ::= \"b\""));
    assertTrue(e.getMessage().contains("line 2, column 1: the rule root is there already"));
  }

  @Test
  void sizeIsBounded() {
    String deep = "(".repeat(100_000) + "\"a\"" + ")".repeat(100_000);
    String large = "root ::= " + "\"" + "a".repeat(500_000) + "\"";
    String squared = "root ::= " + "[a]? ".repeat(4000);
    String counting = "root ::= " + "[a]{16777216} ".repeat(130);
    var rules = new StringBuilder("root ::= r0\n");
    for (int i = 0; i < 30_000; i++) {
      rules.append("r%d ::= \"a\" r%d\n".formatted(i, i + 1));
    }
    for (String grammar :
        new String[] {"root ::= " + deep, large, squared, counting, rules + "r30000 ::= \"b\""}) {
      assertTimeoutPreemptively(
          Duration.ofSeconds(20),
          () -> assertThrows(ConstraintException.class, () -> Constraint.gbnf(grammar)));
    }
  }

  @Test
  void ambiguityDoesNotExplode() {
    for (String grammar :
        new String[] {
          "root ::= s\ns ::= s s s | s s | \"a\"",
          "root ::= (\"a\" | \"aa\" | \"aaa\")* \"b\"",
          "root ::= (\"a\"* )* (\"a\"*)* \"b\"?",
          "root ::= x \"b\"?\nx ::= \"a\" x | \"a\" x \"a\" | \"a\""
        }) {
      assertTimeoutPreemptively(
          Duration.ofSeconds(20),
          () ->
              assertTrue(
                  Walks.accepts(Constraint.gbnf(grammar), TOKENIZER, "a".repeat(200), new Random(1))
                      ^ grammar.endsWith("\"b\"")),
          grammar);
    }
  }

  @Test
  void countsAreExactHoweverLarge() {
    var constraint = Constraint.gbnf("root ::= [a-c]{2000,3000} \"!\"");
    var random = new Random(1);
    for (int n : new int[] {0, 1, 1999, 2000, 2500, 3000, 3001}) {
      assertEquals(
          n >= 2000 && n <= 3000,
          Walks.accepts(constraint, TOKENIZER, "abc".repeat(1001).substring(0, n) + "!", random),
          "" + n);
    }
  }
}
