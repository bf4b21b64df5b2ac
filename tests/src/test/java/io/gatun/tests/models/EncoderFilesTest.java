package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.GgufWriter;
import io.gatun.models.TextEmbedder;
import io.gatun.models.encoder.Pooling;
import io.gatun.tensor.DType;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The forms in which encoders come: GGUF under llama.cpp's names, configurations of two ages, and
/// files that ask for what is not there.
class EncoderFilesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path NOMIC =
      TestData.ROOT.resolve("tests/src/test/resources/encoder/nomic-embed");

  /// In this order: the first that fits is meant.
  private static final Map<String, String> GGUF_NAMES = new LinkedHashMap<>();

  static {
    GGUF_NAMES.put("embeddings.word_embeddings", "token_embd");
    GGUF_NAMES.put("embeddings.position_embeddings", "position_embd");
    GGUF_NAMES.put("embeddings.token_type_embeddings", "token_types");
    GGUF_NAMES.put("embeddings.LayerNorm", "token_embd_norm");
    GGUF_NAMES.put("emb_ln", "token_embd_norm");
    GGUF_NAMES.put("attention.self.query", "attn_q");
    GGUF_NAMES.put("attention.self.key", "attn_k");
    GGUF_NAMES.put("attention.self.value", "attn_v");
    GGUF_NAMES.put("attention.output.dense", "attn_output");
    GGUF_NAMES.put("attention.output.LayerNorm", "attn_output_norm");
    GGUF_NAMES.put("intermediate.dense", "ffn_up");
    GGUF_NAMES.put("output.dense", "ffn_down");
    GGUF_NAMES.put("output.LayerNorm", "layer_output_norm");
    GGUF_NAMES.put("attn.Wqkv", "attn_qkv");
    GGUF_NAMES.put("attn.out_proj", "attn_output");
    GGUF_NAMES.put("norm1", "attn_output_norm");
    GGUF_NAMES.put("mlp.fc11", "ffn_up");
    GGUF_NAMES.put("mlp.fc12", "ffn_gate");
    GGUF_NAMES.put("mlp.fc2", "ffn_down");
    GGUF_NAMES.put("norm2", "layer_output_norm");
  }

  @TempDir private Path dir;

  @Test
  void nomicGguf() throws IOException {
    sameAsGolden(NOMIC, "nomic-bert", 1);
  }

  @Test
  void bertGguf() throws IOException {
    sameAsGolden(TestData.shared("hf-embed/bge-small"), "bert", 2);
  }

  private void sameAsGolden(Path model, String architecture, int pooling) throws IOException {
    Path file = dir.resolve("model.gguf");
    write(model, file, architecture, pooling);
    var golden = JSON.readTree(model.resolve("golden.json").toFile());
    var texts = new ArrayList<String>();
    golden.get("texts").forEach(each -> texts.add(each.asText()));
    try (var reference = Checkpoint.open(model.resolve("golden.safetensors"));
        var embedder = TextEmbedder.load(file, o -> o.dtype(DType.Plain.F32))) {
      float[][] found = embedder.embed(texts);
      for (int i = 0; i < found.length; i++) {
        float[] expected = reference.tensor("embedding").get(i).toFloats();
        assertArrayEquals(normalized(expected), found[i], 2e-5f, "text " + i);
      }
    }
  }

  private static float[] normalized(float[] vector) {
    double squares = 0;
    for (float v : vector) {
      squares += (double) v * v;
    }
    for (int i = 0; i < vector.length; i++) {
      vector[i] /= (float) Math.sqrt(squares);
    }
    return vector;
  }

  private static void write(Path model, Path file, String architecture, int pooling)
      throws IOException {
    var config = JSON.readTree(model.resolve("config.json").toFile());
    boolean nomic = architecture.equals("nomic-bert");
    var writer = new GgufWriter();
    writer
        .metadata("general.architecture", architecture)
        .metadata(
            architecture + ".block_count",
            config.get(nomic ? "n_layer" : "num_hidden_layers").asInt())
        .metadata(
            architecture + ".embedding_length",
            config.get(nomic ? "n_embd" : "hidden_size").asInt())
        .metadata(
            architecture + ".feed_forward_length",
            config.get(nomic ? "n_inner" : "intermediate_size").asInt())
        .metadata(
            architecture + ".attention.head_count",
            config.get(nomic ? "n_head" : "num_attention_heads").asInt())
        .metadata(
            architecture + ".context_length",
            config.get(nomic ? "n_positions" : "max_position_embeddings").asInt())
        .metadata(architecture + ".attention.layer_norm_epsilon", 1e-12f)
        .metadata(architecture + ".attention.causal", false)
        .metadata(architecture + ".pooling_type", pooling);
    if (nomic) {
      writer.metadata(architecture + ".rope.freq_base", 1000f);
    }
    var tokens = new ArrayList<String>();
    var types = new ArrayList<Integer>();
    List<String> vocabulary = Files.readAllLines(model.resolve("vocab.txt"));
    for (String piece : vocabulary) {
      boolean mark = List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]").contains(piece);
      boolean kept = mark || (piece.startsWith("[") && piece.endsWith("]"));
      tokens.add(kept ? piece : piece.startsWith("##") ? piece.substring(2) : "\u2581" + piece);
      types.add(mark ? 3 : 1);
    }
    writer
        .metadata("tokenizer.ggml.model", "bert")
        .metadata("tokenizer.ggml.tokens", tokens)
        .metadata("tokenizer.ggml.token_type", types)
        .metadata("tokenizer.ggml.token_type_count", 2)
        .metadata("tokenizer.ggml.unknown_token_id", vocabulary.indexOf("[UNK]"))
        .metadata("tokenizer.ggml.cls_token_id", vocabulary.indexOf("[CLS]"))
        .metadata("tokenizer.ggml.seperator_token_id", vocabulary.indexOf("[SEP]"))
        .metadata("tokenizer.ggml.padding_token_id", vocabulary.indexOf("[PAD]"))
        .metadata("tokenizer.ggml.mask_token_id", vocabulary.indexOf("[MASK]"));
    try (var checkpoint = Checkpoint.open(model.resolve("model.safetensors"))) {
      checkpoint
          .tensors()
          .forEach(
              (name, tensor) -> {
                if (!name.contains("pooler") && !name.contains("position_ids")) {
                  writer.add(ggufName(name), tensor);
                }
              });
      writer.write(file);
    }
  }

  private static String ggufName(String name) {
    String block = name.replaceAll("^encoder\\.layers?\\.(\\d+)\\..*", "blk.$1.");
    for (var each : GGUF_NAMES.entrySet()) {
      if (name.contains(each.getKey() + ".")) {
        return (block.equals(name) ? "" : block)
            + each.getValue()
            + name.substring(name.lastIndexOf('.'));
      }
    }
    throw new AssertionError(name);
  }

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
