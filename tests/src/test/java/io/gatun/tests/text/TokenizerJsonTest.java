package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// `tokenizer.json` files against what Hugging Face's tokenizers say.
class TokenizerJsonTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Test
  void tinyLlm() throws Exception {
    Tokenizer tokenizer = Tokenizers.load(TestData.pretrained("tiny-llm"));
    JsonNode goldens = JSON.readTree(TestData.pretrained("tiny-llm/goldens.json").toFile());
    assertEquals(1024, tokenizer.size());
    assertEquals(0, tokenizer.bos().getAsInt());
    assertEquals(1, tokenizer.eos().getAsInt());
    for (JsonNode prompt : goldens.get("prompts")) {
      String text = prompt.get("text").asText();
      boolean marked = text.startsWith("<s>");
      assertArrayEquals(ids(prompt.get("ids")), tokenizer.encode(text, !marked, true), text);
      assertEquals(
          prompt.get("greedy_text").asText(),
          tokenizer.decode(ids(prompt.get("greedy_ids")), false));
    }
    for (JsonNode each : goldens.get("tokenizer")) {
      String text = each.get("text").asText();
      int[] expected = ids(each.get("ids"));
      assertArrayEquals(expected, tokenizer.encode(text, false, true), text);
      assertEquals(text, tokenizer.decode(expected, false));
    }
  }

  /// The whole vocabularies, where they are there; `TokenizerStagesTest` has them cut to these
  /// texts.
  static List<Arguments> vocabularies() {
    var shared = TestData.ROOT.resolveSibling("shared/testdata/hf-tokenizers");
    return !Files.exists(shared)
        ? List.of()
        : List.of(
            Arguments.of("gpt2_tokenizer.json", "conformance_inputs_30.json", "baseline_gpt2.json"),
            Arguments.of(
                "gpt2_tokenizer.json", "conformance_inputs_83.json", "baseline83_gpt2.json"),
            Arguments.of(
                "llama2_tokenizer.json",
                "conformance_inputs_30.json",
                "baseline_TinyLlama-1.1B.json"),
            Arguments.of(
                "llama2_tokenizer.json",
                "conformance_inputs_83.json",
                "baseline83_tinyllama.json"));
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("vocabularies")
  void conformance(String vocabulary, String inputs, String baseline) throws Exception {
    Tokenizer tokenizer = Tokenizers.load(TestData.shared("hf-tokenizers/" + vocabulary));
    JsonNode texts = JSON.readTree(TestData.shared("hf-tokenizers/" + inputs).toFile());
    JsonNode expected = JSON.readTree(TestData.shared("hf-tokenizers/" + baseline).toFile());
    var byId = new HashMap<String, JsonNode>();
    for (JsonNode entry : expected.get("entries")) {
      byId.put(entry.path("id").asText(), entry);
    }
    var wrong = new ArrayList<String>();
    int count = 0;
    for (JsonNode input : texts.isArray() ? texts : texts.get("inputs")) {
      String id = input.get("id").asText();
      JsonNode entry = byId.getOrDefault(id, expected.get("entries").path(id));
      int[] found = tokenizer.encode(input.get("text").asText());
      check(tokenizer, id, entry, found, wrong);
      count++;
    }
    assertEquals(List.of(), wrong);
    assertEquals(texts.isArray() ? 83 : 30, count);
  }

  private static void check(
      Tokenizer tokenizer, String id, JsonNode expected, int[] found, List<String> wrong) {
    int[] ids = ids(expected.get("input_ids"));
    if (!java.util.Arrays.equals(ids, found)) {
      wrong.add(
          id + " ids " + java.util.Arrays.toString(found) + " not " + expected.get("input_ids"));
    }
    String text = tokenizer.decode(ids, true);
    if (!text.equals(expected.get("decoded_skip_special").asText())) {
      wrong.add(id + " text \"" + text + "\" not " + expected.get("decoded_skip_special"));
    }
    String marked = tokenizer.decode(ids, false);
    if (!marked.equals(expected.get("decoded_with_special").asText())) {
      wrong.add(id + " text \"" + marked + "\" not " + expected.get("decoded_with_special"));
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
