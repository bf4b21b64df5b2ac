package io.gatun.tests.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.ConstraintException;
import io.gatun.models.text.Tokenizer;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Regular expressions against Java's own, and lists of choices.
class RegexTest {
  private static final Tokenizer TOKENIZER = Walks.tokenizer();

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[ab]+c?",
        "(a|b)*abb",
        "a{2,4}b{0,1}c{3}",
        "(ab|a)(bc|c)",
        "[^a-c]{1,3}|(?:abc)+?",
        "\\d+(\\.\\d{1,2})?",
        "\\w+\\s\\w+",
        "[\\w.-]+@[a-c]+",
        "(?<year>\\d{4})-[01]\\d",
        "\\x61\\u0062\\t?[\\]\\-a]",
        "^(a|b$)|^c*$",
        ".é[α-γ]?日*",
        "\\p{Lu}\\p{L}*\\P{L}",
        "\\S+[^\\s]",
        "(((a)*)*)*b",
        "(a?){3}a{3}",
        "[a-c]*[^ab]",
        "\\D\\W",
        "\\$\\^\\.\\{a\\}|[$^.{}]"
      })
  void takesWhatJavaTakes(String regex) {
    var constraint = Constraint.regex(regex);
    var java = Pattern.compile(regex);
    var random = new Random(regex.hashCode());
    String[] parts = {
      "a", "b", "c", "abc", "1", "20", ".", "-", " ", "\t", "@", "é", "β", "日", "A", "_", "]", "$",
      "^", "{a}"
    };
    for (int i = 0; i < 150; i++) {
      var text = new StringBuilder();
      for (int n = random.nextInt(6); n > 0; n--) {
        text.append(parts[random.nextInt(parts.length)]);
      }
      boolean matches = java.matcher(text).matches();
      assertEquals(
          matches, Walks.accepts(constraint, TOKENIZER, text.toString(), random), text::toString);
    }
    for (int i = 0; i < 20; i++) {
      String text = Walks.random(constraint, TOKENIZER, 30, random);
      assertTrue(java.matcher(text).matches(), text);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      textBlock =
          """
          (a)\\1 ~ at character 4: the back reference \\1 is not supported
          (?<x>a)\\k<x> ~ the back reference \\k is not supported
          (?=a) ~ at character 1: lookahead is not supported
          (?!a) ~ lookahead is not supported
          (?<=a) ~ lookbehind is not supported
          (?>a) ~ an atomic group is not supported
          (?i)a ~ (?i is not supported
          a\\b ~ the word boundary \\b is not supported
          a++ ~ '+' repeats a repetition
          a^ ~ ^ is supported at the beginning only
          $a ~ $ is supported at the end only
          (^a)* ~ ^ or $ cannot be repeated
          (a ~ at character 1: the group that opens here is not closed
          a) ~ ')' without '('
          [a ~ the class that begins here is not closed
          [b-a] ~ this is no range
          [\\d-a] ~ this is no range
          *a ~ nothing before '*'
          a{ ~ expected {m}, {m,} or {m,n}
          a{3,1} ~ the least, 3, is more than the most, 1
          a{1000000000} ~ at most 16,777,216
          \\q ~ unknown escape \\q
          \\p{Greek} ~ \\p{Greek} is not supported
          [] ~ no text at all would be valid
          """)
  void saysWhatIsNotSupported(String regex, String message) {
    var e = assertThrows(ConstraintException.class, () -> Constraint.regex(regex));
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  @Test
  void whatIsSlowElsewhereIsNot() {
    for (String regex :
        List.of(
            "(a|a)*b", "(a+)+b", "(a|b)*a(a|b){30}", "(.*a){20}b", "((a{1,50}){1,50}){1,50}b")) {
      assertTimeoutPreemptively(
          Duration.ofSeconds(20),
          () -> Walks.accepts(Constraint.regex(regex), TOKENIZER, "ab".repeat(50), new Random(1)),
          regex);
    }
  }

  @Test
  void choicesAreTheWholeText() {
    var constraint = Constraint.choice(List.of("yes", "no", "not at all", "日本"));
    var random = new Random(1);
    for (String text : new String[] {"yes", "no", "not at all", "日本"}) {
      assertTrue(Walks.accepts(constraint, TOKENIZER, text, random), text);
    }
    for (String text : new String[] {"", "y", "yes ", "not", "日"}) {
      assertEquals(false, Walks.accepts(constraint, TOKENIZER, text, random), text);
    }
    assertThrows(ConstraintException.class, () -> Constraint.choice(List.of()));
    assertThrows(ConstraintException.class, () -> Constraint.choice(List.of("a", "")));
  }
}
