package io.gatun.tests.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.DraftModel;
import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.sampling.Drafter;
import io.gatun.models.sampling.PromptLookup;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.sampling.Speculation;
import io.gatun.tensor.ops.Precision;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Guessed tokens, right and wrong ones, must not change what is written.
class SpeculationTest {
  private static final Path RESOURCES = TestData.ROOT.resolve("tests/src/test/resources");
  private static final SamplingOptions GREEDY = SamplingOptions.GREEDY;
  private static final SamplingOptions DRAWN =
      SamplingOptions.DEFAULT
          .withSeed(4)
          .withPenalties(new SamplingOptions.Penalties(1.1f, 0, 0, 64));

  @TempDir Path dir;

  /// Knows what comes, but for some tokens.
  private static Drafter knowing(int[] text, int prompt, int wrongOneIn) {
    var random = new Random(1);
    return (tokens, length, most) -> {
      int from = Math.min(length - prompt, text.length);
      int[] guess = Arrays.copyOfRange(text, from, Math.min(text.length, from + most));
      for (int i = 0; i < guess.length; i++) {
        guess[i] = random.nextInt(wrongOneIn) == 0 ? 1 : guess[i];
      }
      return guess;
    };
  }

  private static void check(Llm llm, String prompt, int tokens) {
    int length = llm.tokenizer().encode(prompt).length;
    for (var sampling : new SamplingOptions[] {GREEDY, DRAWN}) {
      var expected = llm.generate(prompt, o -> o.maxTokens(tokens).sampling(sampling));
      for (int wrong : new int[] {Integer.MAX_VALUE, 4, 1}) {
        var drafter = knowing(expected.ids(), length, wrong);
        Generation found =
            llm.generate(prompt, o -> o.maxTokens(tokens).sampling(sampling).drafter(drafter));
        assertArrayEquals(expected.ids(), found.ids(), "wrong one in " + wrong);
        assertEquals(expected.text(), found.text());
        assertEquals(expected.reason(), found.reason());
        assertTrue(found.drafted() > 0);
        assertTrue(found.accepted() <= found.drafted());
        if (wrong == Integer.MAX_VALUE) {
          assertEquals(found.drafted(), found.accepted());
        } else if (wrong == 1) {
          assertTrue(found.accepted() <= found.drafted() / 2);
        }
      }
    }
  }

  @Test
  void guessesDoNotChangeTheAnswer() {
    try (var llm =
        Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(1).precision(Precision.F32))) {
      check(llm, "ROMEO:\nI", 60);
      // What is guessed beyond the end is no part of the session.
      var expected = llm.generate("ROMEO:\n", o -> o.maxTokens(40).sampling(GREEDY));
      String stop = expected.text().substring(12, 14);
      try (var session = llm.newSession()) {
        int[] prompt = llm.tokenizer().encode("ROMEO:\n");
        var drafter = knowing(expected.ids(), prompt.length, Integer.MAX_VALUE);
        var found =
            session.generate(
                prompt, o -> o.maxTokens(40).sampling(GREEDY).stop(List.of(stop)).drafter(drafter));
        assertEquals(Generation.Reason.STOP, found.reason());
        int[] held = session.tokens();
        assertEquals(prompt.length + found.ids().length - 1, held.length);
        var next = session.feed(found.ids()[found.ids().length - 1]);
        try (var fresh = llm.newSession()) {
          fresh.feed(held);
          assertArrayEquals(fresh.feed(found.ids()[found.ids().length - 1]), next, 1e-3f);
        }
      }
    }
  }

  /// Models that go back to saved states, and one whose pages leave the window.
  @ParameterizedTest
  @ValueSource(strings = {"lfm2", "qwen3_next", "falcon_h1", "mistral"})
  void withStatesAndWindows(String architecture) throws IOException {
    var json = new ObjectMapper();
    Path from = RESOURCES.resolve("llm/" + architecture);
    Files.copy(from.resolve("config.json"), dir.resolve("config.json"));
    RandomWeights.write(from.resolve("weights.json"), dir.resolve("model.safetensors"));
    JsonNode tokenizer =
        json.readTree(Files.readString(RESOURCES.resolve("text/tokenizers/llama-legacy.json")));
    Files.writeString(dir.resolve("tokenizer.json"), tokenizer.get("tokenizer").toString());
    try (var llm = Llm.load(dir, o -> o.threads(1).precision(Precision.F32))) {
      int vocabulary = llm.model().config().vocabSize();
      int[] prompt = new Random(2).ints(70, 0, vocabulary).toArray();
      int[] expected;
      try (var session = llm.newSession()) {
        expected = session.generate(prompt, o -> o.maxTokens(70).sampling(DRAWN)).ids();
      }
      for (int wrong : new int[] {Integer.MAX_VALUE, 3}) {
        try (var session = llm.newSession()) {
          var drafter = knowing(expected, prompt.length, wrong);
          var found =
              session.generate(prompt, o -> o.maxTokens(70).sampling(DRAWN).drafter(drafter));
          assertArrayEquals(expected, found.ids());
          assertTrue(found.drafted() > 0);
        }
      }
    }
  }

  @Test
  void aDraftModelGuesses() {
    try (var llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(1));
        var small = Llm.load(TestData.pretrained("tiny-llm"), o -> o.ops(llm.ops()));
        var draft = new DraftModel(llm, small)) {
      var expected = llm.generate("KING", o -> o.maxTokens(50).sampling(GREEDY));
      var found = llm.generate("KING", o -> o.maxTokens(50).sampling(GREEDY).drafter(draft));
      assertEquals(expected.text(), found.text());
      assertTrue(found.drafted() > 0 && found.accepted() >= 0.9 * found.drafted());
    }
  }

  @Test
  void anotherVocabularyIsRefused() throws IOException {
    Path from = RESOURCES.resolve("llm/llama");
    Files.copy(from.resolve("config.json"), dir.resolve("config.json"));
    RandomWeights.write(from.resolve("weights.json"), dir.resolve("model.safetensors"));
    JsonNode tokenizer =
        new ObjectMapper()
            .readTree(Files.readString(RESOURCES.resolve("text/tokenizers/llama-legacy.json")));
    Files.writeString(dir.resolve("tokenizer.json"), tokenizer.get("tokenizer").toString());
    try (var llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(1));
        var other = Llm.load(dir, o -> o.threads(1))) {
      var refused = assertThrows(IllegalArgumentException.class, () -> new DraftModel(llm, other));
      assertTrue(refused.getMessage().contains("one vocabulary"), refused.getMessage());
    }
  }

  @Test
  void lookupFindsTheLongestThatWasThere() {
    var lookup = new PromptLookup();
    int[] text = {1, 2, 3, 4, 5, 9, 2, 3, 7, 8, 1, 2, 3};
    assertArrayEquals(new int[] {4, 5}, lookup.draft(text, text.length, 2));
    assertArrayEquals(new int[] {7, 8}, lookup.draft(new int[] {2, 3, 7, 8, 6, 2, 3}, 7, 2));
    assertArrayEquals(new int[0], lookup.draft(new int[] {1, 2, 3, 4, 5, 3}, 6, 2));
    assertArrayEquals(new int[0], lookup.draft(new int[] {1}, 1, 2));
  }

  /// Guesses that are always wrong are soon made seldom.
  @Test
  void whatDoesNotPayIsLeftOut() throws InterruptedException {
    var speculation = new Speculation((tokens, length, most) -> new int[most]);
    int guesses = 0;
    for (int i = 0; i < 150; i++) {
      int[] guess = speculation.draft(new int[1], 1, 8);
      Thread.sleep(guess.length > 0 ? 4 : 1);
      speculation.done(guess.length, 0);
      guesses += guess.length > 0 ? 1 : 0;
    }
    assertTrue(guesses >= 4 && guesses <= 20, guesses + " of 150");
    assertEquals(0, speculation.accepted());
  }
}
