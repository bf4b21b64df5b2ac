package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/// `gatun bench constraint`.
class BenchConstraintTest {
  @Test
  void eachKindIsMeasured() throws IOException {
    var run =
        InProcess.gatun("bench", "constraint", "--vocabulary", "4000", "--texts", "2", "--json");
    assertEquals(0, run.code(), run.err());
    var figures = new ObjectMapper().readTree(run.out());
    assertEquals(4000, figures.path("vocabulary").asInt());
    assertEquals(6, figures.path("constraints").size());
    for (var each : figures.path("constraints")) {
      assertTrue(each.path("tokens").asInt() > 10, each.toString());
      assertTrue(each.path("first_token_milliseconds").asDouble() > 0, each.toString());
      assertTrue(each.path("p99_microseconds").asDouble() > 0, each.toString());
    }
  }

  @Test
  void aConstraintOfOnesOwnIsMeasuredWithAModelsVocabulary() {
    var run = InProcess.gatun("bench", "constraint", "-m", "tiny-llm", "--regex", "[a-z]{20,90}");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("1,024 tokens"), run.out());
    assertTrue(run.out().contains("regular expression"), run.out());
  }
}
