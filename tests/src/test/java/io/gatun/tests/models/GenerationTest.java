package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tests.TestData;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/// What a Java user sees of a text that was written.
class GenerationTest {
  private static final String PROMPT = "KING RICHARD II:\n";
  private static final Llm LLM = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(2));

  @AfterAll
  static void close() {
    LLM.close();
  }

  @Test
  void theSeedThatIsToldGivesTheTextAgain() {
    var first = LLM.generate(PROMPT, o -> o.maxTokens(24));
    var second = LLM.generate(PROMPT, o -> o.maxTokens(24));
    assertNotEquals(first.seed(), second.seed());
    // One text may be another's by chance, or none may follow.
    assertTrue(
        Stream.generate(() -> LLM.generate(PROMPT, o -> o.maxTokens(24)).text())
            .limit(20)
            .anyMatch(text -> !text.equals(first.text())));
    assertEquals(
        first.text(), LLM.generate(PROMPT, o -> o.maxTokens(24).seed(first.seed())).text());
    assertEquals(7, LLM.generate(PROMPT, o -> o.maxTokens(1).seed(7)).seed());
  }

  @Test
  void temperatureAndSeedChangeWhatSamplingSays() {
    var greedy = LLM.generate(PROMPT, o -> o.maxTokens(8).sampling(SamplingOptions.GREEDY));
    var cold = LLM.generate(PROMPT, o -> o.maxTokens(8).seed(3).temperature(0));
    assertEquals(greedy.text(), cold.text());
    assertThrows(
        IllegalArgumentException.class, () -> LLM.generate(PROMPT, o -> o.temperature(-1)));
  }

  @Test
  void aPromptIsEnough() {
    // Each text has a seed of its own, and one of them may end early.
    assertTrue(
        IntStream.range(0, 8).mapToObj(i -> LLM.generate(PROMPT)).anyMatch(t -> t.length() > 100));
  }

  private static String ids(int[] ids) {
    return Arrays.stream(ids).mapToObj(Integer::toString).collect(Collectors.joining(" "));
  }

  @Test
  void whatIsPrintedTellsWhatItIs() {
    var generation = LLM.generate(PROMPT, o -> o.maxTokens(5).seed(7));
    assertTrue(
        generation
            .toString()
            .matches(
                "(?s)\\Q"
                    + generation.text()
                    + "\\E\n"
                    + "\\[5 tokens \\("
                    + ids(generation.ids())
                    + "\\), LENGTH; read \\d+ at .* tok/s, wrote at .* tok/s; seed 7]"),
        generation.toString());
    int[] twenty = IntStream.range(0, 20).toArray();
    assertEquals(
        "a\n"
            + "[20 tokens (0 1 2 3 4 5 6 7 ...), LENGTH; read 3 at 3.0 tok/s, wrote at 19.0 tok/s;"
            + " seed 7]",
        new Generation("a", "", twenty, Generation.Reason.LENGTH, 3, 1, 1, 7, 0, 0).toString());
    try (var session = LLM.newSession()) {
      session.feed(LLM.tokenizer().encode(PROMPT));
      assertTrue(
          session.toString().matches("LlmSession\\(\\d+ of 512 tokens\\)"), session.toString());
    }
    var checkpoint = Checkpoint.open(TestData.pretrained("tiny-llm"));
    assertEquals("Checkpoint(tiny-llm: SAFETENSORS, 56 tensors, 2.5 MB)", checkpoint.toString());
    var tensor = checkpoint.tensor("model.norm.weight");
    checkpoint.close();
    assertEquals("Checkpoint(tiny-llm: closed)", checkpoint.toString());
    assertEquals("BF16 (128,) [closed]", tensor.toString());
  }

  @Test
  void aContextThatIsFullIsTheReason() {
    try (var llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(2).context(32))) {
      var generation = llm.generate(PROMPT, o -> o.seed(1).maxTokens(100));
      assertEquals(Generation.Reason.CONTEXT, generation.reason());
    }
  }

  @Test
  void aSessionKeepsNoNegativeNumberOfTokens() {
    try (var session = LLM.newSession()) {
      session.feed(1, 2, 3);
      assertThrows(IllegalArgumentException.class, () -> session.truncate(-1));
      assertEquals(3, session.tokens().length);
      session.truncate(7);
      assertEquals(3, session.tokens().length);
    }
  }
}
