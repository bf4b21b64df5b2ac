package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.GenerateOptions;
import io.gatun.models.Generation;
import io.gatun.models.Generation.Reason;
import io.gatun.models.Llm;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.text.Tokenizer;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Answers from the first token to the last: their text, what ends them, what a session keeps.
class LlmGenerationTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path RESOURCES = TestData.ROOT.resolve("tests/src/test/resources");
  private static final String PROMPT = "Once upon a time";

  @TempDir Path dir;

  /// A random model of 512 tokens with one of the tokenizers in `resources/text`, of which it has
  /// more than they do.
  private Llm load(String tokenizer, String chatTemplate) throws IOException {
    Path llama = RESOURCES.resolve("llm/llama");
    Files.copy(llama.resolve("config.json"), dir.resolve("config.json"));
    RandomWeights.write(llama.resolve("weights.json"), dir.resolve("model.safetensors"));
    JsonNode recorded =
        JSON.readTree(
            Files.readString(RESOURCES.resolve("text/tokenizers/" + tokenizer + ".json")));
    Files.writeString(dir.resolve("tokenizer.json"), recorded.get("tokenizer").toString());
    var config = JSON.createObjectNode().put("chat_template", chatTemplate);
    Files.writeString(dir.resolve("tokenizer_config.json"), config.toString());
    return Llm.load(dir, o -> o.pack(false).threads(1).context(120));
  }

  private static Consumer<GenerateOptions> greedy(int tokens) {
    return o -> o.maxTokens(tokens).sampling(SamplingOptions.GREEDY);
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-legacy", "metaspace-first", "metaspace-always", "unigram"})
  void promptAndAnswerAreTheTextOfAllTokens(String tokenizer) throws IOException {
    try (var llm = load(tokenizer, null)) {
      for (String prompt : List.of(PROMPT, "", "a", "Hello ", " two  spaces", "\u65E5\u672C")) {
        int[] ids = llm.tokenizer().encode(prompt);
        if (ids.length == 0) {
          continue; // without BOS there is nothing to begin with
        }
        Generation answer = llm.generate(prompt, greedy(60));
        String all = text(llm.tokenizer(), ids, answer.ids());
        assertEquals(all, text(llm.tokenizer(), ids) + answer.text());
        // As it comes, and as the first token of an answer.
        for (int id = 3; id < llm.tokenizer().size(); id++) {
          var decoder = llm.tokenizer().streamingDecoderAfter(ids, true);
          String piece = decoder.push(id) + decoder.flush();
          assertEquals(text(llm.tokenizer(), ids, id), text(llm.tokenizer(), ids) + piece);
        }
      }
    }
  }

  private static String text(Tokenizer tokenizer, int[] ids, int... more) {
    var all = IntStream.concat(Arrays.stream(ids), Arrays.stream(more));
    return tokenizer.decode(all.filter(tokenizer::has).toArray());
  }

  @ParameterizedTest
  @ValueSource(strings = {"model-f32.safetensors", "stories260K-f32.gguf"})
  void storiesGoOnAsInLlama2c(String file) throws IOException {
    Path model = TestData.shared("llm-stories260K/derived/" + file);
    String story = Files.readString(TestData.shared("llm-stories260K/expected_greedy_n256.txt"));
    try (var llm = Llm.load(model, o -> o.pack(false))) {
      assertEquals(story.stripTrailing(), llm.generate("", greedy(256)).text().stripTrailing());
      for (int cut : new int[] {23, 53}) {
        Generation rest = llm.generate(story.substring(0, cut), greedy(40));
        assertTrue(story.startsWith(story.substring(0, cut) + rest.text()), rest.text());
      }
    }
  }

  /// The space between a prompt and its answer is the tokenizer's to know.
  @ParameterizedTest
  @ValueSource(strings = {"model-f32.safetensors", "model-f32.gguf"})
  void promptsGoOnAsRecorded(String file) throws IOException {
    Path model = TestData.shared("llm-formats/" + file);
    var prompts = JSON.readTree(model.resolveSibling("golden.json").toFile()).get("prompts");
    int spaces = 0;
    try (var llm = Llm.load(model, o -> o.pack(false).context(200))) {
      for (JsonNode each : prompts) {
        String prompt = each.get("text").asText();
        assertArrayEquals(ints(each.get("ids")), llm.tokenizer().encode(prompt));
        Generation answer = llm.generate(prompt, greedy(each.get("answer_ids").size()));
        assertArrayEquals(ints(each.get("answer_ids")), answer.ids());
        assertEquals(each.get("answer").asText(), answer.text());
        spaces += !prompt.isEmpty() && answer.text().startsWith(" ") ? 1 : 0;
      }
    }
    assertTrue(spaces > 0, "no answer begins with a space");
  }

  private static int[] ints(JsonNode array) {
    return JSON.convertValue(array, int[].class);
  }

  @Test
  void stopTextsEndTheAnswer() throws IOException {
    try (var llm = load("llama-legacy", null)) {
      String whole = llm.generate(PROMPT, greedy(60)).text();
      for (int length = 1; length <= 6; length++) {
        String stop = whole.substring(20, 20 + length);
        var shown = new StringBuilder();
        Generation answer =
            llm.generate(
                PROMPT,
                o ->
                    o.maxTokens(60)
                        .sampling(SamplingOptions.GREEDY)
                        .stop(List.of("never there", stop))
                        .sink(shown::append));
        assertEquals(Reason.STOP, answer.reason());
        assertEquals(whole.substring(0, whole.indexOf(stop)), answer.text());
        assertEquals(answer.text(), shown.toString());
      }
    }
  }

  /// What may become a stop text is held back, and shown if it does not.
  @Test
  void halfAStopTextIsShownInTheEnd() throws IOException {
    try (var llm = load("llama-legacy", null)) {
      String whole = llm.generate(PROMPT, greedy(30)).text();
      var shown = new StringBuilder();
      String stop = whole.substring(whole.length() - 3) + "\u0000";
      Generation answer =
          llm.generate(
              PROMPT,
              o ->
                  o.maxTokens(30)
                      .sampling(SamplingOptions.GREEDY)
                      .stop(List.of(stop))
                      .sink(shown::append));
      assertEquals(Reason.LENGTH, answer.reason());
      assertEquals(whole, answer.text());
      assertEquals(whole, shown.toString());
    }
  }

  @Test
  void anInterruptCancels() throws IOException {
    try (var llm = load("llama-legacy", null)) {
      var pieces = new ArrayList<String>();
      Generation answer =
          llm.generate(
              PROMPT,
              o ->
                  o.maxTokens(60)
                      .sampling(SamplingOptions.GREEDY)
                      .sink(
                          piece -> {
                            pieces.add(piece);
                            Thread.currentThread().interrupt();
                          }));
      assertTrue(Thread.interrupted());
      assertEquals(Reason.CANCELLED, answer.reason());
      assertEquals(1, pieces.size());
      assertTrue(answer.ids().length < 60);
      assertEquals(Reason.LENGTH, llm.generate(PROMPT, greedy(4)).reason());
    }
  }

  @Test
  void aSessionReadsOnlyWhatIsNew() throws IOException {
    try (var llm = load("llama-legacy", null);
        var session = llm.newSession()) {
      int[] prompt = llm.tokenizer().encode(PROMPT);
      Generation first = session.generate(prompt, greedy(8));
      assertEquals(prompt.length, first.promptTokens());
      int[] longer =
          Stream.of(prompt, first.ids(), llm.tokenizer().encode(" and on", false, false))
              .flatMapToInt(Arrays::stream)
              .toArray();
      Generation second = session.generate(longer, greedy(8));
      int known = prompt.length + first.ids().length - 1; // the last was not read
      assertEquals(longer.length - known, second.promptTokens());
      try (var fresh = llm.newSession()) {
        Generation anew = fresh.generate(longer, greedy(8));
        assertEquals(longer.length, anew.promptTokens());
        assertArrayEquals(anew.ids(), second.ids());
      }
      // Another text: only the common beginning is kept, and the last token is read again.
      assertEquals(1, session.generate(prompt, greedy(1)).promptTokens());
      assertArrayEquals(first.ids(), session.generate(prompt, greedy(8)).ids());
      int[] other = llm.tokenizer().encode("Twice");
      Generation third = session.generate(other, greedy(8));
      assertEquals(other.length - Arrays.mismatch(prompt, other), third.promptTokens());
    }
  }

  @Test
  void theContextEndsOrShifts() throws IOException {
    try (var llm = load("llama-legacy", null);
        var session = llm.newSession()) {
      int[] prompt = llm.tokenizer().encode(PROMPT);
      Generation full = session.generate(prompt, greedy(500));
      assertEquals(Reason.CONTEXT, full.reason());
      assertEquals(session.capacity(), prompt.length + full.ids().length - 1);
      Generation on =
          session.generate(
              prompt, o -> o.maxTokens(200).sampling(SamplingOptions.GREEDY).contextShift(true));
      assertEquals(Reason.LENGTH, on.reason());
      assertEquals(200, on.ids().length);
      assertArrayEquals(full.ids(), Arrays.copyOf(on.ids(), full.ids().length));
      assertTrue(session.tokens().length <= session.capacity());
      int[] tooLong = new int[session.capacity() + 1];
      assertThrows(IllegalArgumentException.class, () -> session.generate(tooLong, greedy(1)));
    }
  }

  /// A tokenizer may have more tokens than the model.
  @Test
  void tokensThatTheModelDoesNotKnow() throws IOException {
    try (var llm = load("llama-legacy", null);
        var session = llm.newSession()) {
      for (int id : new int[] {-1, 512, Integer.MAX_VALUE}) {
        String message =
            assertThrows(
                    IllegalArgumentException.class,
                    () -> session.generate(new int[] {1, id}, greedy(1)))
                .getMessage();
        assertTrue(message.startsWith("token " + id + " is not among the 512"), message);
      }
    }
  }

  private static final String TEMPLATE =
      "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
          + "{% if add_generation_prompt %}<s>assistant:{% endif %}";

  @Test
  void aChatRemembersAndReadsOnlyWhatIsNew() throws IOException {
    try (var llm = load("llama-legacy", TEMPLATE);
        var chat = llm.newChat()) {
      chat.start("Be brief.");
      Generation first = chat.say("Hello, who are you and what can you do?", greedy(6));
      assertEquals(
          List.of("Be brief.", "Hello, who are you and what can you do?", first.text()),
          chat.messages().stream().map(m -> m.content()).toList());
      Generation second = chat.say("On", greedy(6));
      assertEquals(5, chat.messages().size());
      assertTrue(second.promptTokens() < first.promptTokens(), "the first turn was read again");
      chat.start("");
      assertEquals(List.of(), chat.messages());
    }
  }

  @Test
  void aChatThatOutgrowsTheContextLosesItsOldestTurns() throws IOException {
    try (var llm = load("llama-legacy", TEMPLATE);
        var chat = llm.newChat()) {
      chat.start("Be brief.");
      for (int turn = 0; turn < 12; turn++) {
        chat.say("turn " + turn, greedy(4));
      }
      List<String> kept = chat.messages().stream().map(m -> m.content()).toList();
      assertEquals("Be brief.", kept.getFirst());
      assertTrue(kept.contains("turn 11"), kept.toString());
      assertFalse(kept.contains("turn 0"), kept.toString());
      var before = chat.messages();
      assertThrows(IllegalArgumentException.class, () -> chat.say("word ".repeat(200), greedy(4)));
      assertEquals(before, chat.messages());
    }
  }
}
