package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Vocabularies of GGUF, SentencePiece and llama2.c files against the ids of llama.cpp and others.
class TokenizerPairsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path STORIES =
      TestData.ROOT.resolveSibling("shared/testdata/llm-stories260K");

  /// llama.cpp's vocabularies, cut to what its texts need, and whole where they are there.
  static List<Path> vocabularies() throws IOException {
    var found = new ArrayList<Path>();
    Path cut = TestData.ROOT.resolve("tests/src/test/resources/text/ggml");
    Path whole = TestData.ROOT.resolveSibling("shared/testdata/ggml-vocab");
    for (Path folder : List.of(cut, whole)) {
      if (Files.exists(folder)) {
        try (var files = Files.list(folder)) {
          files
              .filter(f -> f.toString().matches(".*(json|gguf)"))
              .filter(f -> f.toString().endsWith("json") || Files.exists(Path.of(f + ".out")))
              .sorted()
              .forEach(found::add);
        }
      }
    }
    return found;
  }

  private record Case(String text, int[] ids) {}

  @ParameterizedTest
  @MethodSource("vocabularies")
  void asLlamaCpp(Path file) throws IOException {
    var cases = new ArrayList<Case>();
    Tokenizer tokenizer;
    if (file.toString().endsWith("gguf")) {
      tokenizer = ofGguf(file);
      String[] texts =
          Files.readString(Path.of(file + ".inp")).split("\n__ggml_vocab_test__\n", -1);
      String[] expected = Files.readString(Path.of(file + ".out")).split("\n", -1);
      for (int i = 0; i < texts.length; i++) {
        var ids = Arrays.stream(expected[i].strip().split(" ")).filter(id -> !id.isEmpty());
        cases.add(new Case(texts[i], ids.mapToInt(Integer::parseInt).toArray()));
      }
    } else {
      JsonNode all = JSON.readTree(file.toFile());
      tokenizer = Tokenizers.load(Path.of("x.gguf"), RandomWeights.metadata(all.get("metadata")));
      all.get("cases").forEach(c -> cases.add(new Case(c.get("text").asText(), ids(c.get("ids")))));
    }
    var wrong = new ArrayList<String>();
    for (Case each : cases) {
      int[] found = tokenizer.encode(each.text, false, false);
      if (!Arrays.equals(each.ids, found)) {
        wrong.add(
            "\"%s\": %s not %s"
                .formatted(each.text, Arrays.toString(found), Arrays.toString(each.ids)));
      }
      // BERT's small letters do not become large again.
      if (!file.toString().contains("bert") && !tokenizer.decode(each.ids).equals(each.text)) {
        wrong.add("\"" + each.text + "\" comes back as \"" + tokenizer.decode(each.ids) + "\"");
      }
    }
    assertEquals(List.of(), wrong);
    assertEquals(47, cases.size());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"tok420.bin", "tokenizer.model", "model-f32.safetensors", "model-f32.gguf"})
  void besideAModelAndInIt(String name) throws IOException {
    Path file = TestData.shared("llm-formats/" + name);
    Tokenizer tokenizer = name.endsWith(".gguf") ? ofGguf(file) : Tokenizers.load(file, Map.of());
    assertEquals(420, tokenizer.size());
    JsonNode golden = JSON.readTree(file.resolveSibling("golden.json").toFile());
    for (JsonNode each : golden.get("prompts")) {
      String text = each.get("text").asText();
      assertArrayEquals(ids(each.get("ids")), tokenizer.encode(text), text);
      assertEquals(text, tokenizer.decode(ids(each.get("ids"))));
    }
    int[] story = ids(golden.get("greedy").get("model-f32.safetensors"));
    assertEquals(golden.get("text").asText(), tokenizer.decode(story));
  }

  /// A vocabulary in the forms of SentencePiece, llama2.c and GGUF.
  @Test
  void oneVocabularyInThreeForms() throws IOException {
    var tokenizers =
        List.of(
            Tokenizers.load(TestData.shared("llm-formats/tokenizer.model")),
            Tokenizers.load(TestData.shared("llm-formats/tok420.bin")),
            ofGguf(TestData.shared("llm-formats/model-f32.gguf")));
    Path texts = TestData.ROOT.resolve("tests/src/test/resources/text/tokenizers/llama2.json");
    for (JsonNode each : JSON.readTree(texts.toFile()).get("cases")) {
      String text = each.get("text").asText();
      int[] first = tokenizers.getFirst().encode(text, true, false);
      for (Tokenizer tokenizer : tokenizers) {
        assertArrayEquals(first, tokenizer.encode(text, true, false), text);
      }
    }
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("stories")
  void stories(Path file) throws Exception {
    Tokenizer tokenizer =
        file.toString().endsWith(".gguf") ? ofGguf(file) : Tokenizers.load(file, Map.of());
    JsonNode expected = JSON.readTree(STORIES.resolve("expected_greedy_ids.json").toFile());
    String text = Files.readString(STORIES.resolve("expected_greedy_n256.txt"));
    int[] ids = ids(expected.get("greedy_token_ids"));
    assertEquals(512, tokenizer.size());
    assertEquals(text.strip(), tokenizer.decode(ids).strip());
    String start = "Once upon a time, there was a little girl named Lily.";
    int[] found = tokenizer.encode(start);
    assertEquals(expected.get("bos").asInt(), found[0]);
    assertArrayEquals(
        Arrays.copyOf(ids, found.length - 1), Arrays.copyOfRange(found, 1, found.length));
  }

  static List<Path> stories() {
    return !Files.exists(STORIES)
        ? List.of()
        : Stream.of(
                "stories260K.bin", "derived/model-f32.safetensors", "derived/stories260K-f32.gguf")
            .map(STORIES::resolve)
            .toList();
  }

  @Test
  void llama2InFourForms() throws Exception {
    var tokenizers =
        List.of(
            Tokenizers.load(TestData.shared("llm-stories260K/llama2-tokenizer.model")),
            Tokenizers.load(TestData.shared("llm-stories260K/llama2-tokenizer.bin")),
            Tokenizers.load(TestData.shared("hf-tokenizers/llama2_tokenizer.json")),
            ofGguf(TestData.shared("ggml-vocab/ggml-vocab-llama-spm.gguf")));
    var texts = new ArrayList<String>();
    for (JsonNode each :
        JSON.readTree(TestData.shared("hf-tokenizers/conformance_inputs_83.json").toFile())) {
      texts.add(each.get("text").asText());
    }
    texts.add(Files.readString(TestData.shared("text/tinystories_sample.txt")));
    texts.addAll(
        List.of("", " ", "  two", "<s>not</s>", "a\u0000b", "\uD83E\uDD99 \u2581x", "\n\n"));
    for (String text : texts) {
      int[] first = tokenizers.getFirst().encode(text, true, false);
      for (Tokenizer tokenizer : tokenizers) {
        assertArrayEquals(first, tokenizer.encode(text, true, false), text);
      }
    }
  }

  @Test
  void longTexts() throws Exception {
    for (String model : List.of("gpt2", "llama")) {
      String name = model.equals("gpt2") ? "gpt2_encoded_tokens" : "llama_encoded";
      JsonNode each = JSON.readTree(TestData.shared("hf-tokenizers/" + name + ".json").toFile());
      Tokenizer tokenizer =
          Tokenizers.load(
              TestData.shared(
                  "hf-tokenizers/"
                      + (model.equals("gpt2") ? "gpt2_tokenizer.json" : "llama2_tokenizer.json")));
      int[] ids = ids(each.get("token_ids"));
      assertArrayEquals(ids, tokenizer.encode(each.get("text").asText()));
      assertEquals(each.get("decoded_text").asText(), tokenizer.decode(ids, false));
      for (int i = 0; i < ids.length - 1; i++) {
        if (model.equals("gpt2")) {
          assertEquals(each.get("bpe_tokens").get(i).asText(), tokenizer.piece(ids[i]));
        }
      }
    }
  }

  /// transformers.js's cases; its GPT-2 texts went through a clean-up of spaces that models do not
  /// ask for any more, which changes one of them.
  @Test
  void transformersJsCases() throws Exception {
    JsonNode all = JSON.readTree(TestData.shared("hf-tokenizers/tokenizer_tests.json").toFile());
    int cleaned = 0;
    int count = 0;
    for (String model : List.of("distilgpt2", "coreml-projects/Llama-2-7b-chat-coreml")) {
      Tokenizer tokenizer =
          Tokenizers.load(
              TestData.shared(
                  "hf-tokenizers/"
                      + (model.equals("distilgpt2") ? "gpt2" : "llama2")
                      + "_tokenizer.json"));
      for (JsonNode each : all.get(model)) {
        int[] ids = ids(each.get("encoded").get("input_ids"));
        String input = each.get("input").asText();
        assertArrayEquals(ids, tokenizer.encode(input), input);
        String text = tokenizer.decode(ids, false);
        if (text.equals("A\n'll !!to?'d''d of, can't.")) {
          cleaned++;
          text = text.replace(" !", "!");
        }
        assertEquals(each.get("decoded_with_special").asText(), text);
        count++;
      }
    }
    assertEquals(36, count);
    assertEquals(1, cleaned);
  }

  private static Tokenizer ofGguf(Path file) {
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      return Tokenizers.load(file, checkpoint.metadata());
    }
  }

  private static int[] ids(JsonNode array) {
    var ids = new int[array.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = array.get(i).asInt();
    }
    return ids;
  }
}
