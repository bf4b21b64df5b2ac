package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.StreamingDecoder;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The stages of a tokenizer, one by one, on vocabularies of a few hundred tokens.
class TokenizerStagesTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path dir;

  /// Vocabularies with the stages of one family or another, trained for this test with Hugging
  /// Face's tokenizers 0.23.2, and what it makes of texts that mix scripts, marks and white space.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama3",
        "qwen2",
        "gpt4o",
        "falcon",
        "deepseek",
        "splits",
        "llama-legacy",
        "llama-normalized-specials",
        "metaspace-first",
        "metaspace-always",
        "unigram",
        "gpt2",
        "llama2"
      })
  void asHuggingFace(String name) throws Exception {
    JsonNode data = resource(name);
    Tokenizer tokenizer = load(data.get("tokenizer").toString());
    var wrong = new ArrayList<String>();
    for (JsonNode each : data.get("cases")) {
      String text = each.get("text").asText();
      int[] ids = JSON.convertValue(each.get("ids"), int[].class);
      int[] found = tokenizer.encode(text);
      if (!Arrays.equals(ids, found)) {
        wrong.add(text + ": " + Arrays.toString(found) + " not " + Arrays.toString(ids));
      }
      String decoded = tokenizer.decode(ids, false);
      if (!decoded.equals(each.path("decoded").asText(decoded))) {
        wrong.add(decoded + "\nnot\n" + each.get("decoded"));
      }
    }
    assertEquals(List.of(), wrong);
    assertTrue(data.get("cases").size() > 40);
  }

  @Test
  void specialTokensInTextOnlyWhereAsked() throws Exception {
    Tokenizer tokenizer = load(resource("llama3").get("tokenizer").toString());
    String text = "<|eot_id|>";
    int end = tokenizer.id(text).getAsInt();
    assertArrayEquals(new int[] {end}, tokenizer.encode(text, false, true));
    assertTrue(tokenizer.encode(text, false, false).length > 3);
    assertEquals(text, tokenizer.decode(tokenizer.encode(text, false, false)));
    assertEquals("", tokenizer.decode(end));
    assertTrue(tokenizer.isSpecial(end));
    assertTrue(tokenizer.isEnd(end));
    assertFalse(tokenizer.isEnd(0));
    assertEquals("<|begin_of_text|>", tokenizer.piece(tokenizer.bos().getAsInt()));
    assertThrows(IllegalArgumentException.class, () -> tokenizer.piece(tokenizer.size()));
    assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(-1));
  }

  @Test
  void streamingNeverSplitsACharacter() throws Exception {
    for (String name : List.of("gpt4o", "llama-legacy")) {
      Tokenizer tokenizer = load(resource(name).get("tokenizer").toString());
      String text = "a \uD83D\uDE42\u65E5\u672C e\u0301 \u00FF end";
      StreamingDecoder decoder = tokenizer.streamingDecoder(true);
      var all = new StringBuilder();
      for (int id : tokenizer.encode(text)) {
        String part = decoder.push(id);
        assertFalse(part.contains("\uFFFD"), part);
        all.append(part);
      }
      assertEquals("", decoder.flush());
      assertEquals(text, all.toString());
    }
  }

  @Test
  void streamingReplacesWhatIsNoCharacter() throws Exception {
    Tokenizer tokenizer = load(resource("llama-legacy").get("tokenizer").toString());
    StreamingDecoder decoder = tokenizer.streamingDecoder(true);
    assertEquals("", decoder.push(byteToken(tokenizer, 0xF0)));
    assertEquals("", decoder.push(byteToken(tokenizer, 0x9F)));
    assertEquals("\uFFFDA", decoder.push(byteToken(tokenizer, 'A')));
    assertEquals("\uFFFD", decoder.push(byteToken(tokenizer, 0x80)));
    assertEquals("", decoder.push(byteToken(tokenizer, 0xE6)));
    assertEquals("\uFFFD", decoder.flush());
    assertEquals("", decoder.flush());
  }

  private static int byteToken(Tokenizer tokenizer, int b) {
    return tokenizer.id("<0x%02X>".formatted(b)).getAsInt();
  }

  @Test
  void longWordsTakeNoQuadraticTime() {
    Tokenizer tokenizer = Tokenizers.load(TestData.pretrained("tiny-llm"));
    for (String word : List.of("a".repeat(300_000), "the".repeat(100_000), " ".repeat(300_000))) {
      assertEquals(word, tokenizer.decode(tokenizer.encode(word, false, false)));
    }
  }

  @Test
  void oneTokenizerForManyThreads() {
    Tokenizer tokenizer = Tokenizers.load(TestData.pretrained("tiny-llm"));
    String text = "First Citizen: speak, speak. ".repeat(20);
    int[] expected = tokenizer.encode(text);
    List<int[]> found =
        IntStream.range(0, 64).parallel().mapToObj(i -> tokenizer.encode(text)).toList();
    found.forEach(ids -> assertArrayEquals(expected, ids));
  }

  @Test
  void missingAndDamagedFilesAreNamed() throws Exception {
    String message =
        assertThrows(CheckpointException.class, () -> Tokenizers.load(dir, Map.of())).getMessage();
    assertTrue(message.contains("tokenizer.json, tokenizer.model, tokenizer.bin"), message);
    assertDamaged("tokenizer.json", "{\"model\": {\"vocab\": {\"a\": 0", "not valid JSON");
    assertDamaged(
        "tokenizer.json", "{\"model\": {\"vocab\": {\"a\": 2000000000}}}", "id 2000000000");
    assertDamaged(
        "tokenizer.json",
        "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}}",
        "the merge");
    assertDamaged(
        "tokenizer.json",
        "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}}",
        "model.unk_token is \"[UNK]\"");
    assertDamaged(
        "tokenizer.json",
        "{\"model\": {\"type\": \"WordPiece\", \"max_input_chars_per_word\": 100000, \"vocab\":"
            + " {\"[UNK]\": 0}}}",
        "max_input_chars_per_word is 100000");
    assertDamaged(
        "tokenizer.json",
        "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}}",
        "WordLevel");
    assertDamaged(
        "tokenizer.json",
        "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}}, \"model\":"
            + " {\"vocab\": {\"a\": 0}, \"merges\": []}}",
        "pattern");
    assertDamaged("tokenizer.model", "\n\u00FFabc", "not a SentencePiece model");
    assertDamaged("tokenizer.bin", "abcdefghijkl", "not a llama2.c tokenizer");
    var tokens = new HashMap<String, Object>(Map.of("tokenizer.ggml.model", "gpt2"));
    assertGgufDamaged(tokens, "tokenizer.ggml.tokens is absent");
    tokens.put("tokenizer.ggml.tokens", List.of("a", "b"));
    tokens.put("tokenizer.ggml.token_type", List.of(1L));
    assertGgufDamaged(tokens, "1 entries; need 2");
    tokens.put("tokenizer.ggml.token_type", List.of(1L, 1L));
    tokens.put("tokenizer.ggml.merges", List.of("ab"));
    assertGgufDamaged(tokens, "tokenizer.ggml.merges is \"ab\"");
    tokens.put("tokenizer.ggml.pre", "nobody's");
    assertGgufDamaged(tokens, "tokenizer.ggml.pre is \"nobody's\"");
  }

  @Test
  void truncatedSentencePieceModelsAreAnError() throws Exception {
    byte[] whole = Files.readAllBytes(TestData.shared("llm-formats/tokenizer.model"));
    Path file = dir.resolve("tokenizer.model");
    for (int length = 1; length < 2000; length += 7) {
      Files.write(file, Arrays.copyOf(whole, length));
      try {
        assertTrue(Tokenizers.load(file).size() > 0); // cut between two pieces
      } catch (CheckpointException e) {
        assertTrue(e.getMessage().contains("tokenizer.model"), e.getMessage());
      }
    }
  }

  private void assertDamaged(String name, String content, String why) throws Exception {
    Path file = dir.resolve(name);
    Files.writeString(file, content, StandardCharsets.ISO_8859_1);
    String message =
        assertThrows(CheckpointException.class, () -> Tokenizers.load(dir, Map.of())).getMessage();
    assertTrue(message.contains(name) && message.contains(why), message);
    Files.delete(file);
  }

  private static void assertGgufDamaged(Map<String, Object> metadata, String why) {
    String message =
        assertThrows(CheckpointException.class, () -> Tokenizers.load(Path.of("x.gguf"), metadata))
            .getMessage();
    assertTrue(message.startsWith("x.gguf: ") && message.contains(why), message);
  }

  private Tokenizer load(String json) throws Exception {
    Path file = dir.resolve("tokenizer.json");
    Files.writeString(file, json);
    Tokenizer tokenizer = Tokenizers.load(dir);
    Files.delete(file);
    return tokenizer;
  }

  private static JsonNode resource(String name) throws Exception {
    try (InputStream in =
        TokenizerStagesTest.class.getResourceAsStream("/text/tokenizers/" + name + ".json")) {
      return JSON.readTree(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }
  }
}
