package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// WordPiece and the tokenizers of encoders against Hugging Face's ids.
class WordPieceTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"tokenizer.json", "vocab.txt"})
  void theWholeVocabularyOfBert(String file) throws Exception {
    Tokenizer tokenizer = Tokenizers.load(TestData.shared("hf-embed/bge-small/" + file));
    var golden =
        JSON.readTree(TestData.shared("hf-embed/bert-base-uncased-tokenizer/golden.json").toFile());
    for (JsonNode each : golden.get("texts")) {
      String text = each.get("text").asText();
      assertArrayEquals(ids(each.get("ids")), tokenizer.encode(text), text);
      assertEquals(each.get("decoded").asText(), tokenizer.decode(ids(each.get("ids"))), text);
    }
    for (JsonNode each : golden.get("pairs")) {
      var pair = tokenizer.encodePair(each.get("a").asText(), each.get("b").asText(), 512);
      assertArrayEquals(ids(each.get("ids")), pair.ids());
      assertArrayEquals(ids(each.get("type_ids")), pair.types());
      assertEquals(0, pair.cut());
    }
  }

  /// Every model's texts, and texts that are difficult.
  @Test
  void embeddersAndRerankers() throws Exception {
    var wrong = new ArrayList<String>();
    int compared = 0;
    for (Path model : models()) {
      Tokenizer tokenizer = Tokenizers.load(model);
      var golden = JSON.readTree(model.resolve("golden.json").toFile());
      for (int i = 0; i < golden.path("texts").size(); i++) {
        compared++;
        String text = golden.get("texts").get(i).asText();
        compare(model, text, golden.get("ids").get(i), tokenizer.encode(text), wrong);
      }
      for (JsonNode each : golden.path("tokenizer_cases")) {
        compared++;
        String text = each.get("text").asText();
        compare(model, text, each.get("ids"), tokenizer.encode(text), wrong);
      }
      if (golden.has("truncated_ids")) {
        int[] ids = tokenizer.encode(golden.get("truncated_text").asText());
        int most = golden.get("max_seq_length").asInt();
        compare(model, "cut", golden.get("truncated_ids"), tokenizer.truncate(ids, most), wrong);
      }
      for (int i = 0; golden.has("max_length") && i < golden.path("pairs").size(); i++) {
        compared++;
        var texts = golden.get("pairs").get(i);
        var pair =
            tokenizer.encodePair(
                texts.get(0).asText(), texts.get(1).asText(), golden.get("max_length").asInt());
        compare(model, texts.toString(), golden.get("ids").get(i), pair.ids(), wrong);
        if (golden.get("token_type_ids").isArray()) {
          assertArrayEquals(ids(golden.get("token_type_ids").get(i)), pair.types());
        }
      }
    }
    assertEquals(List.of(), wrong);
    assertTrue(compared >= 20, compared + " texts were compared");
  }

  @Test
  void aSmallVocabulary() throws Exception {
    Files.write(
        dir.resolve("vocab.txt"),
        List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##able", "##a", ",", "caf", "##e"));
    Tokenizer tokenizer = Tokenizers.load(dir);
    assertArrayEquals(
        new int[] {2, 4, 5, 7, 8, 9, 1, 3}, tokenizer.encode("Unable,  CAFÉ unabled"));
    assertEquals("unable, cafe", tokenizer.decode(2, 4, 5, 7, 8, 9, 3));
    assertArrayEquals(new int[] {2, 4, 3}, tokenizer.truncate(tokenizer.encode("un caf"), 3));
    var pair = tokenizer.encodePair("un un", "caf caf caf caf", 8);
    assertArrayEquals(new int[] {2, 4, 4, 3, 8, 8, 8, 3}, pair.ids());
    assertArrayEquals(new int[] {0, 0, 0, 0, 1, 1, 1, 1}, pair.types());
    assertEquals(1, pair.cut());
    // What looks like a mark in a text that is not trusted is text.
    assertArrayEquals(
        new int[] {2, 1, 1, 1, 3, 4, 3}, tokenizer.encodePair("[SEP]", "un", 9).ids());
    assertThrows(IllegalArgumentException.class, () -> tokenizer.encodePair("un", "un", 2));
  }

  private static List<Path> models() throws Exception {
    var found = new ArrayList<Path>();
    for (Path parent :
        List.of(
            TestData.ROOT.resolve("tests/src/test/resources/encoder"),
            TestData.ROOT.resolveSibling("shared/testdata/hf-embed"))) {
      if (Files.exists(parent)) {
        try (var folders = Files.list(parent)) {
          folders
              .filter(
                  f ->
                      Files.exists(f.resolve("tokenizer.json"))
                          || Files.exists(f.resolve("vocab.txt")))
              .sorted()
              .forEach(found::add);
        }
      }
    }
    return found;
  }

  private static void compare(
      Path model, String text, JsonNode expected, int[] found, List<String> wrong) {
    if (!Arrays.equals(ids(expected), found)) {
      wrong.add(
          "%s: \"%s\" is %s, not %s"
              .formatted(model.getFileName(), text, Arrays.toString(found), expected));
    }
  }

  private static int[] ids(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
  }
}
