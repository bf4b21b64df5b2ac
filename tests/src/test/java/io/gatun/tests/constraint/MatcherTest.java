package io.gatun.tests.constraint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.Matcher;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Which tokens are allowed, with vocabularies of all kinds.
class MatcherTest {
  private static final Path RESOURCES = TestData.ROOT.resolve("tests/src/test/resources");
  private static final String LONG_STRING = "{\"type\": \"string\", \"maxLength\": 400}";
  private static final String ANY_STRING = "{\"type\": \"string\", \"maxLength\": 9}";

  @TempDir Path dir;

  static Stream<Path> vocabularies() throws IOException {
    try (var files = Files.list(RESOURCES.resolve("text/tokenizers"))) {
      return files.sorted().toList().stream();
    }
  }

  private Tokenizer load(Path recorded) throws IOException {
    Path file = dir.resolve("tokenizer.json");
    var json = new ObjectMapper().readTree(recorded.toFile());
    Files.writeString(file, json.get("tokenizer").toString());
    return Tokenizers.load(file, Map.of());
  }

  /// The mask, which is found by walks over tries and knows of plain text, is what each token alone
  /// says.
  @ParameterizedTest
  @MethodSource("vocabularies")
  void masksAreWhatEachTokenSays(Path recorded) throws IOException {
    var tokenizer = load(recorded);
    var constraints =
        List.of(
            Constraint.jsonSchema("true"),
            Constraint.jsonSchema(ANY_STRING),
            Constraint.jsonSchema("{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 7}"),
            Constraint.jsonSchema(LONG_STRING),
            Constraint.regex(".{0,3}"),
            Constraint.regex("( ?[a-zé日]+)*"),
            Constraint.gbnf("root ::= [^x]* \"x\" root?"));
    var random = new Random(1);
    for (var constraint : constraints) {
      Matcher matcher = constraint.start(tokenizer);
      for (int i = 0; i < 6 && !matcher.finished(); i++) {
        BitSet allowed = BitSet.valueOf(matcher.allowed());
        for (int id = 0; id < tokenizer.size(); id++) {
          assertEquals(
              matcher.allows(id), allowed.get(id), id + " after " + i + " by " + constraint);
          assertFalse(allowed.get(id) && tokenizer.isSpecial(id) && !tokenizer.isEnd(id));
        }
        int[] ids = allowed.stream().filter(id -> !tokenizer.isEnd(id)).toArray();
        if (ids.length == 0) {
          break;
        }
        matcher.accept(ids[random.nextInt(ids.length)]);
      }
    }
  }

  /// Where a text is far from the bounds of its repetitions nothing is computed anew, and near them
  /// they are kept.
  @Test
  void countsThatNoTokenTellsApartHaveOneMask() {
    var tokenizer = Walks.tokenizer();
    Matcher matcher = Constraint.jsonSchema(LONG_STRING).start(tokenizer);
    matcher.accept(tokenizer.encode("\"", false, false)[0]);
    int a = tokenizer.encode("a", false, false)[0];
    matcher.accept(a);
    long[] early = matcher.allowed();
    for (int i = 1; i < 200; i++) {
      matcher.accept(a);
    }
    assertSame(early, matcher.allowed());
    for (int i = 200; i < 400; i++) {
      matcher.accept(a);
    }
    assertFalse(matcher.allows(a));
    assertFalse(BitSet.valueOf(matcher.allowed()).get(a));
  }

  /// Characters in pieces, whatever the vocabulary makes of them.
  @ParameterizedTest
  @MethodSource("vocabularies")
  void encodedTextsAreTaken(Path recorded) throws IOException {
    var tokenizer = load(recorded);
    for (String document : List.of("\"abc\"", "\"a b\"", "日本 é")) {
      Matcher matcher = Constraint.regex("(.|\\n)*").start(tokenizer);
      for (int id : tokenizer.encode(document, false, false)) {
        if (!tokenizer.isSpecial(id)) { // what is unknown
          matcher.accept(id);
        }
      }
      assertTrue(matcher.mayEnd(), document);
    }
  }

  @Test
  void endsAreAllowedWhereTheTextMayEnd() {
    var tokenizer = Walks.tokenizer();
    int end = tokenizer.eos().orElseThrow();
    Matcher matcher = Constraint.regex("ab?").start(tokenizer);
    assertFalse(matcher.allows(end));
    matcher.accept(tokenizer.id("a").orElseThrow());
    assertTrue(matcher.mayEnd() && matcher.allows(end) && !matcher.finished());
    matcher.accept(end);
    assertTrue(matcher.finished());
    assertEquals(0, BitSet.valueOf(matcher.allowed()).cardinality());
    assertThrows(IllegalArgumentException.class, () -> matcher.accept(end));
  }

  @Test
  void tokensCanBeTakenBack() throws IOException {
    var tokenizer = Walks.tokenizer();
    var constraint =
        Constraint.jsonSchema(Files.readString(JsonSchemaTest.FOLDER.resolve("tree.json")));
    var random = new Random(1);
    Matcher matcher = constraint.start(tokenizer);
    for (int i = 0; i < 40 && !matcher.finished(); i++) {
      long[] before = matcher.allowed().clone();
      Matcher fork = matcher.fork();
      for (int k = 0; k < 3 && !fork.finished(); k++) {
        int[] ids = BitSet.valueOf(fork.allowed()).stream().toArray();
        fork.accept(ids[random.nextInt(ids.length)]);
      }
      fork.rollback(fork.length() - matcher.length());
      assertArrayEquals(before, fork.allowed());
      assertArrayEquals(before, matcher.allowed());
      int[] ids = BitSet.valueOf(before).stream().toArray();
      matcher.accept(ids[random.nextInt(ids.length)]);
    }
    assertThrows(IllegalArgumentException.class, () -> matcher.rollback(1000));
  }

  /// What is kept is forgotten when it is much; texts that are being written go on.
  @Test
  void memoryIsBoundedAndTextsOutliveIt() {
    var tokenizer = Walks.tokenizer();
    var constraint = Constraint.gbnf("root ::= \"(\" root \")\" | [a-z]{1,100000}");
    var random = new Random(1);
    Matcher first = constraint.start(tokenizer);
    for (int i = 0; i < 30; i++) {
      first.accept(tokenizer.id("(").orElseThrow());
    }
    var letters = new int[] {tokenizer.id("a").orElseThrow(), tokenizer.id("b").orElseThrow()};
    Matcher other = constraint.start(tokenizer);
    for (int i = 0; i < 60_000; i++) {
      other.accept(letters[random.nextInt(2)]);
      if (i % 20_000 == 0) {
        other.allowed();
      }
    }
    first.accept(letters[0]);
    for (int i = 0; i < 30; i++) {
      assertFalse(first.mayEnd());
      first.accept(tokenizer.id(")").orElseThrow());
    }
    assertTrue(first.finished());
  }
}
