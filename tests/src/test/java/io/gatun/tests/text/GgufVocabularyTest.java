package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.GgufVocabulary;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Tokenizers that GGUF has no form for are refused with what to do instead.
class GgufVocabularyTest {
  @TempDir Path model;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'type': 'Unigram', 'unk_id': 0, 'vocab': [['<unk>', 0], ['▁a', -1], ['b', -2]]}",
        "{'type': 'BPE', 'vocab': {'a': 0, 'b': 1}, 'merges': []}"
      })
  void refusesTokenizersWithoutMerges(String json) throws IOException {
    Path file = model.resolve("tokenizer.json");
    Files.writeString(file, "{'model': %s}".formatted(json).replace('\'', '"'));
    var e = assertThrows(CheckpointException.class, () -> GgufVocabulary.metadata(model, 3));
    assertEquals(
        file
            + ": this tokenizer has no merges, of which GGUF makes every tokenizer that has no"
            + " bytes among its pieces. Quantize to int4 or int8, which keeps it as it is.",
        e.getMessage());
  }

  /// All names of pre-tokenizers are tried, the last of them in vain.
  @Test
  void refusesByteLevelTokenizersOfNoKnownName() throws IOException {
    String recorded =
        Files.readString(
            TestData.ROOT.resolve("tests/src/test/resources/text/tokenizers/splits.json"));
    String json = new ObjectMapper().readTree(recorded).get("tokenizer").toString();
    Files.writeString(model.resolve("tokenizer.json"), json);
    var e = assertThrows(CheckpointException.class, () -> GgufVocabulary.metadata(model, 300));
    assertTrue(e.getMessage().contains("has no form in GGUF"), e.getMessage());
  }
}
