package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// What the names in `tokenizer.ggml.pre` and `tokenizer.ggml.model` stand for.
class GgufPreTokenizersTest {
  private static final long NORMAL = 1;
  private static final long CONTROL = 3;
  private static final long BYTE = 6;

  /// The names that users' files carry.
  private static final List<String> KNOWN =
      List.of(
          "exaone4",
          "falcon-h1",
          "granite-docling",
          "bailingmoe",
          "seed-coder",
          "minimax-m2",
          "hunyuan-dense",
          "gpt-4o",
          "lfm2",
          "qwen35",
          "smaug-bpe",
          "refact",
          "tekken");

  private static Tokenizer load(
      String model, String pre, List<String> tokens, List<Long> types, List<String> merges) {
    var metadata = new HashMap<String, Object>();
    metadata.put("tokenizer.ggml.model", model);
    metadata.put("tokenizer.ggml.pre", pre);
    metadata.put("tokenizer.ggml.tokens", tokens);
    metadata.put("tokenizer.ggml.token_type", types);
    metadata.put("tokenizer.ggml.merges", merges);
    metadata.put("tokenizer.ggml.bos_token_id", 0L);
    metadata.put("tokenizer.ggml.eos_token_id", 1L);
    return Tokenizers.load(Path.of("model.gguf"), Map.copyOf(metadata));
  }

  private static Tokenizer byteLevel(String pre) {
    var tokens = new ArrayList<>(List.of("<s>", "</s>", "a", "b", "c", "ab", "abc"));
    for (char c = '!'; c <= '~'; c++) {
      if (!tokens.contains(String.valueOf(c))) {
        tokens.add(String.valueOf(c));
      }
    }
    tokens.add("\u0120"); // a space in GPT-2's alphabet
    var types = new ArrayList<>(Collections.nCopies(tokens.size(), NORMAL));
    types.set(0, CONTROL);
    types.set(1, CONTROL);
    return load("gpt2", pre, tokens, types, List.of("a b"));
  }

  @Test
  void everyNameCutsTextThatComesBackWhole() {
    for (String pre : KNOWN) {
      var tokenizer = byteLevel(pre);
      String text = "It's  12345 (x+y) a/b C3PO";
      assertEquals(text, tokenizer.decode(tokenizer.encode(text)), pre);
    }
  }

  @Test
  void aNameThatIsNotKnownIsNamed() {
    var e = assertThrows(CheckpointException.class, () -> byteLevel("nobodys-bpe"));
    assertTrue(e.getMessage().contains("tokenizer.ggml.pre is \"nobodys-bpe\""), e.getMessage());
    for (String pre : KNOWN) {
      assertTrue(e.getMessage().contains(pre), e.getMessage());
    }
  }

  /// Mistral's tekken and Llama 3: a word that is a token is that token, though no merge makes it,
  /// and a text begins with BOS.
  @Test
  void wordsThatAreTokensIgnoreMerges() {
    assertArrayEquals(new int[] {0, 6}, byteLevel("tekken").encode("abc"));
    assertArrayEquals(new int[] {0, 6}, byteLevel("falcon-h1").encode("abc"));
    assertArrayEquals(new int[] {0, 6}, byteLevel("lfm2").encode("abc"));
    assertArrayEquals(new int[] {5, 4}, byteLevel("gpt-4o").encode("abc"));
  }

  /// In Qwen3.5 marks belong to the word that they are in, in Qwen2 they end it; both compose what
  /// they can.
  @Test
  void marksWithinWords() {
    // The bytes of U+0337 and of \u00E9 as GPT-2's alphabet writes them.
    var tokens =
        List.of(
            "<s>",
            "</s>",
            "b",
            "\u00CC",
            "\u00B7",
            "\u00CC\u00B7",
            "b\u00CC\u00B7",
            "\u00C3",
            "\u00A9");
    var types = new ArrayList<>(Collections.nCopies(tokens.size(), NORMAL));
    var merges = List.of("\u00CC \u00B7", "b \u00CC\u00B7");
    var qwen2 = load("gpt2", "qwen2", tokens, types, merges);
    var qwen35 = load("gpt2", "qwen35", tokens, types, merges);
    assertArrayEquals(new int[] {2, 5}, qwen2.encode("b\u0337"));
    assertArrayEquals(new int[] {6}, qwen35.encode("b\u0337"));
    assertArrayEquals(new int[] {7, 8}, qwen35.encode("e\u0301"));
  }

  /// Gemma 4: characters, visible spaces, line feeds apart, bytes for what is missing.
  @Test
  void charactersWithVisibleSpaces() {
    var tokens =
        new ArrayList<>(
            List.of("<bos>", "<eos>", "\u2581", "a", "b", "ab", "\u2581ab", "\n", "\n\n", "b\n"));
    var types = new ArrayList<>(Collections.nCopies(tokens.size(), NORMAL));
    types.set(0, CONTROL);
    types.set(1, CONTROL);
    int bytes = tokens.size();
    for (int b = 0; b < 256; b++) {
      tokens.add("<0x%02X>".formatted(b));
      types.add(BYTE);
    }
    var merges = List.of("a b", "\u2581 ab", "\n \n", "b \n");
    for (String model : List.of("gemma4", "gpt2")) {
      var tokenizer = load(model, "gemma4", tokens, types, merges);
      String text = "ab ab\n\nb \u00e9";
      assertArrayEquals(
          new int[] {0, 5, 6, 8, 4, 2, bytes + 0xC3, bytes + 0xA9}, tokenizer.encode(text));
      assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
    }
  }
}
