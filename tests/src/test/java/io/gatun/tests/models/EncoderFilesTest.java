package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.models.encoder.Pooling;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The forms in which encoders come: configurations of two ages, and files that ask for what is not
/// there.
class EncoderFilesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path NOMIC =
      TestData.ROOT.resolve("tests/src/test/resources/encoder/nomic-embed");

  @TempDir private Path dir;

  /// The keys that transformers 5 writes mean the same as the published ones.
  @Test
  void newKeys() throws IOException {
    copy(NOMIC);
    var keys = JSON.createObjectNode();
    JsonNode old = JSON.readTree(NOMIC.resolve("config.json").toFile());
    keys.put("model_type", "nomic_bert")
        .put("vocab_size", old.get("vocab_size").asInt())
        .put("hidden_size", old.get("n_embd").asInt())
        .put("num_hidden_layers", old.get("n_layer").asInt())
        .put("num_attention_heads", old.get("n_head").asInt())
        .put("intermediate_size", old.get("n_inner").asInt())
        .put("hidden_act", "silu")
        .put("max_position_embeddings", 8192)
        .put("type_vocab_size", 2)
        .put("layer_norm_eps", 1e-12);
    keys.putObject("rope_parameters").put("rope_type", "default").put("rope_theta", 1000.0);
    JSON.writeValue(dir.resolve("config.json").toFile(), keys);
    try (var published = TextEmbedder.load(NOMIC);
        var renamed = TextEmbedder.load(dir)) {
      var text = List.of("rain");
      assertArrayEquals(published.embed(text)[0], renamed.embed(text)[0]);
    }
  }

  /// The same for ModernBERT, whose layers are listed then.
  @Test
  void newKeysOfModernBert() throws IOException {
    Path model = EncoderModels.ours("modernbert-embed");
    copy(model);
    var keys = (ObjectNode) JSON.readTree(model.resolve("config.json").toFile());
    keys.remove(List.of("global_rope_theta", "local_rope_theta", "global_attn_every_n_layers"));
    var ropes = keys.putObject("rope_parameters");
    ropes.putObject("full_attention").put("rope_type", "default").put("rope_theta", 160000.0);
    ropes.putObject("sliding_attention").put("rope_type", "default").put("rope_theta", 10000.0);
    var types = keys.putArray("layer_types");
    for (int i = 0; i < keys.get("num_hidden_layers").asInt(); i++) {
      types.add(i % 3 == 0 ? "full_attention" : "sliding_attention");
    }
    JSON.writeValue(dir.resolve("config.json").toFile(), keys);
    try (var published = TextEmbedder.load(model);
        var renamed = TextEmbedder.load(dir)) {
      var text = List.of("rain on the largest planet, and on the others, for a long time");
      assertArrayEquals(published.embed(text)[0], renamed.embed(text)[0]);
    }
    types.set(1, "full_attention");
    JSON.writeValue(dir.resolve("config.json").toFile(), keys);
    try (var published = TextEmbedder.load(model);
        var other = TextEmbedder.load(dir)) {
      var text = List.of("rain on the largest planet, and on the others, for a long time");
      assertFalse(Arrays.equals(published.embed(text)[0], other.embed(text)[0]));
    }
  }

  @Test
  void whatIsNotKnownIsAnError() throws IOException {
    copy(NOMIC);
    refused("config.json", "\"prenorm\": false", "\"prenorm\": true", "prenorm");
    refused("config.json", "\"causal\": false", "\"causal\": true", "\"causal\" is true");
    refused("modules.json", "models.Pooling", "models.CNN", "CNN");
    refused("modules.json", "1_Pooling", "../../1_Pooling", "outside");
    refused("config.json", "\"nomic_bert\"", "\"t5\"", "the architecture is \"t5\"");
    refused("config.json", "\"n_layer\": 3", "\"n_layer\": 2", "no place for");
    refused("config.json", "\"n_layer\": 3", "\"n_layer\": 4", "is missing");
    refused("1_Pooling/config.json", "mean_tokens\": true", "mean_tokens\": false", "need one of");
    refused("1_Pooling/config.json", "max_tokens\": false", "max_tokens\": true", "max_tokens");
    refused(
        "config_sentence_transformers.json",
        "\"default_prompt_name\": null",
        "\"default_prompt_name\": \"x\"",
        "default_prompt_name");
    Files.delete(dir.resolve("modules.json"));
    var message =
        assertThrows(CheckpointException.class, () -> TextEmbedder.load(dir)).getMessage();
    assertTrue(message.contains("--pooling"), message);
    try (var chosen = TextEmbedder.load(dir, o -> o.pooling(Pooling.MEAN))) {
      assertEquals(32, chosen.embed(List.of("rain"))[0].length);
    }
  }

  static List<Path> encoders() throws IOException {
    try (var folders = Files.list(EncoderModels.OURS)) {
      return folders.filter(Files::isDirectory).sorted().map(TestData::complete).toList();
    }
  }

  /// Whatever it is, in each architecture.
  @ParameterizedTest
  @MethodSource("encoders")
  void aKeyThatNobodyKnowsIsAnError(Path model) throws IOException {
    copy(model);
    var keys = (ObjectNode) JSON.readTree(model.resolve("config.json").toFile());
    for (String key : List.of("attention_logit_scale", "qkv_clip")) {
      JSON.writeValue(dir.resolve("config.json").toFile(), keys.deepCopy().put(key, 2));
      boolean ranks = Files.notExists(model.resolve("modules.json"));
      var refused =
          assertThrows(
              CheckpointException.class,
              () -> (ranks ? Reranker.load(dir) : TextEmbedder.load(dir)).close());
      assertTrue(refused.getMessage().contains("\"" + key + "\": 2"), refused.getMessage());
    }
  }

  @Test
  void whatModernBertMightHaveIsAnError() throws IOException {
    copy(EncoderModels.ours("modernbert-embed"));
    refused("config.json", "\"norm_bias\": false", "\"norm_bias\": true", "norm_bias");
    refused("config.json", "\"mlp_bias\": false", "\"mlp_bias\": true", "mlp_bias");
    refused("config.json", "\"gelu\",\n", "\"silu\",\n", "gelu");
  }

  private void refused(String file, String from, String to, String said) throws IOException {
    Path path = dir.resolve(file);
    String before = Files.readString(path);
    assertTrue(before.contains(from), file + " has no " + from);
    Files.writeString(path, before.replace(from, to));
    var message =
        assertThrows(CheckpointException.class, () -> TextEmbedder.load(dir), to).getMessage();
    assertTrue(message.contains(said), message);
    Files.writeString(path, before);
  }

  private void copy(Path model) throws IOException {
    try (var all = Files.walk(model)) {
      for (Path each : all.filter(Files::isRegularFile).toList()) {
        Path to = dir.resolve(model.relativize(each).toString());
        Files.createDirectories(to.getParent());
        Files.copy(each, to);
      }
    }
  }
}
