package io.gatun.tests.constraint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Engine;
import io.gatun.models.engine.Request;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Answers of a model under a constraint.
@Execution(ExecutionMode.CONCURRENT)
class ConstrainedAnswersTest {
  private static Llm llm;

  @BeforeAll
  static void load() {
    llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.pack(false).threads(1));
  }

  @AfterAll
  static void close() {
    llm.close();
  }

  static Stream<Path> schemas() throws IOException {
    return JsonSchemaTest.schemas();
  }

  @ParameterizedTest
  @MethodSource("schemas")
  void allAreValidAtTemperatureOne(Path file) throws IOException {
    String schema = Files.readString(file);
    var constraint = Constraint.jsonSchema(schema);
    int tokens = Math.max(150, constraint.start(llm.tokenizer()).tokensToEnd());
    var answer =
        llm.generate(
            "HAMLET:\n", o -> o.maxTokens(tokens).temperature(1).seed(3).constraint(constraint));
    assertEquals(List.of(), JsonSchemaTest.errors(schema, answer.text()), answer.text());
    assertTrue(answer.ids().length <= tokens);
  }

  /// A story would go on, but for the constraint.
  @Test
  void theAnswerEndsWhereNothingCanFollow() {
    var choice = Constraint.choice(List.of("to be", "not to be"));
    var answer = llm.generate("ROMEO:\n", o -> o.maxTokens(50).seed(1).constraint(choice));
    assertTrue(List.of("to be", "not to be").contains(answer.text()), answer.text());
    assertEquals(Generation.Reason.END, answer.reason());
  }

  @Test
  void theContextBringsItToItsEndToo() {
    var any =
        Constraint.jsonSchema(
            "{\"type\":\"array\",\"minItems\":2,\"items\":{\"type\":\"string\"}}");
    try (var small =
        Llm.load(TestData.pretrained("tiny-llm"), o -> o.pack(false).threads(1).context(32))) {
      for (int seed = 0; seed < 5; seed++) {
        int s = seed;
        var answer = small.generate("ROMEO:\n", o -> o.temperature(1).seed(s).constraint(any));
        assertTrue(answer.text().endsWith("]"), answer.text());
      }
    }
  }

  @Test
  void theEngineTakesConstraints() throws InterruptedException {
    var list = Constraint.regex("[a-z]{3}(, [a-z]{3})*\\.");
    int[] prompt = llm.tokenizer().encode("ROMEO:");
    try (var engine = Engine.open(llm)) {
      var answers =
          IntStream.range(0, 4)
              .mapToObj(
                  i ->
                      engine.submit(
                          Request.of(prompt)
                              .maxTokens(30)
                              .sampling(SamplingOptions.DEFAULT.withTemperature(1).withSeed(i))
                              .constraint(list)))
              .toList();
      for (var answer : answers) {
        String text = answer.await().text();
        assertTrue(text.matches("[a-z]{3}(, [a-z]{3})*\\."), text);
      }
    }
  }

  /// Where only one text may follow, it is read in one step, and the answer stays what it was.
  @Test
  void whatMustFollowIsGuessed() throws InterruptedException {
    var tokenizer = llm.tokenizer();
    var names =
        Constraint.jsonSchema(
            "{\"type\": \"object\", \"additionalProperties\": false, \"required\":"
                + " [\"temperature\", \"direction\"], \"properties\": {\"temperature\": {\"enum\":"
                + " [\"low\", \"high\"]}, \"direction\": {\"const\": \"anticlockwise\"}}}");
    var matcher = names.start(tokenizer);
    matcher.accept(tokenizer.encode("{", false, false)[0]);
    matcher.accept(tokenizer.encode("\"", false, false)[0]);
    assertTrue("temperature\":".startsWith(tokenizer.decode(matcher.forced(8))));
    assertTrue(matcher.forced(8).length > 1);
    assertEquals(0, Constraint.regex("[a-z]b").start(tokenizer).forced(8).length);
    int[] all = Constraint.choice(List.of("to be")).start(tokenizer).forced(8);
    assertEquals("to be", tokenizer.decode(all));
    int[] prompt = tokenizer.encode("ROMEO:");
    var sampling = SamplingOptions.DEFAULT.withTemperature(1).withSeed(5);
    var request = Request.of(prompt).maxTokens(100).sampling(sampling).constraint(names);
    try (var engine = Engine.open(llm)) {
      var result = engine.submit(request).await();
      assertTrue(result.usage().accepted() > 0, result.usage().toString());
      var alone =
          llm.generate("ROMEO:", o -> o.maxTokens(100).sampling(sampling).constraint(names));
      assertTrue(alone.accepted() > 0, alone.toString());
      assertEquals(alone.text(), result.text());
      assertTrue(result.text().contains("anticlockwise"), result.text());
    }
  }

  /// Free until the trigger, which may come at any time; then it is the grammar's.
  @Test
  void aTriggerBeginsTheConstraint() {
    var tokenizer = llm.tokenizer();
    var lazy = Constraint.regex("\\{[a-z]{2}\\}").after("aba");
    for (String good : List.of("", "ab", "abbab", "aba{xy}", "abbaba{xy}", "x\n\u00e9aba{xy}")) {
      assertTrue(allows(lazy, tokenizer.encode(good, false, false)), good);
    }
    for (String bad : List.of("abax", "ababa{xy}", "aba{xy}z", "aba{xyz}")) {
      assertFalse(allows(lazy, tokenizer.encode(bad, false, false)), bad);
    }
    var unfinished = lazy.start(tokenizer);
    for (int id : tokenizer.encode("aba{", false, false)) {
      unfinished.accept(id);
    }
    assertFalse(unfinished.mayEnd());
  }

  private static boolean allows(Constraint constraint, int[] ids) {
    var matcher = constraint.start(llm.tokenizer());
    for (int id : ids) {
      if ((matcher.allowed()[id >> 6] >>> id & 1) == 0) {
        return false;
      }
      matcher.accept(id);
    }
    return matcher.mayEnd();
  }
}
