package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.GgufWriter;
import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.models.text.GgufVocabulary;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Language models that read texts, as GGUF files that are named and laid out as llama.cpp's
/// converter does it: the results are those of the Hugging Face folders.
class ReaderGgufTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path MODELS = TestData.ROOT.resolve("tests/src/test/resources/encoder");

  /// In this order: the first that fits is meant.
  private static final Map<String, String> NAMES = new LinkedHashMap<>();

  static {
    NAMES.put("embed_tokens", "token_embd");
    NAMES.put("input_layernorm", "attn_norm");
    NAMES.put("self_attn.q_proj", "attn_q");
    NAMES.put("self_attn.k_proj", "attn_k");
    NAMES.put("self_attn.v_proj", "attn_v");
    NAMES.put("self_attn.o_proj", "attn_output");
    NAMES.put("self_attn.q_norm", "attn_q_norm");
    NAMES.put("self_attn.k_norm", "attn_k_norm");
    NAMES.put("mlp.gate_proj", "ffn_gate");
    NAMES.put("mlp.up_proj", "ffn_up");
    NAMES.put("mlp.down_proj", "ffn_down");
  }

  @TempDir private Path dir;

  @Test
  void qwen3Embedding() throws IOException {
    Path folder = MODELS.resolve("qwen3-embedding");
    Path file = dir.resolve("model.gguf");
    writer(folder, "qwen3").metadata("qwen3.pooling_type", 3).write(file);
    vectors(folder, file);
  }

  @Test
  void embeddingGemma() throws IOException {
    Path folder = MODELS.resolve("embeddinggemma");
    Path file = dir.resolve("model.gguf");
    try (var first = Checkpoint.open(folder.resolve("2_Dense"));
        var second = Checkpoint.open(folder.resolve("3_Dense"))) {
      writer(folder, "gemma-embedding")
          .metadata("gemma-embedding.pooling_type", 1)
          .metadata("gemma-embedding.attention.causal", false)
          .metadata("gemma-embedding.attention.sliding_window", 16)
          .metadata("gemma-embedding.dense_2_feat_in", 36)
          .metadata("gemma-embedding.dense_2_feat_out", 144)
          .metadata("gemma-embedding.dense_3_feat_in", 144)
          .metadata("gemma-embedding.dense_3_feat_out", 36)
          .add("dense_2.weight", first.tensor("linear.weight"))
          .add("dense_3.weight", second.tensor("linear.weight"))
          .write(file);
    }
    vectors(folder, file);
  }

  /// The rows of yes and no are a tensor of their own, and count, whatever the embedding is.
  @Test
  void qwen3Reranker() throws IOException {
    Path folder = MODELS.resolve("qwen3-reranker");
    Path file = dir.resolve("model.gguf");
    var golden = JSON.readTree(folder.resolve("golden.json").toFile());
    for (boolean turned : new boolean[] {false, true}) {
      try (var model = Checkpoint.open(folder.resolve("model.safetensors"));
          var arena = Arena.ofConfined()) {
        var table = model.tensor("model.embed_tokens.weight");
        var answers = Tensor.allocate(arena, DType.Plain.F32, 2, table.dim(1));
        answers.get(turned ? 1 : 0).segment().copyFrom(table.get(328).segment());
        answers.get(turned ? 0 : 1).segment().copyFrom(table.get(278).segment());
        writer(folder, "qwen3")
            .metadata("qwen3.pooling_type", 4)
            .metadata("qwen3.classifier.output_labels", List.of("yes", "no"))
            .add("cls.output.weight", answers)
            .write(file);
      }
      try (var reranker = Reranker.load(file, o -> o.dtype(DType.Plain.F32))) {
        for (int i = 0; i < golden.get("pairs").size(); i++) {
          var pair = golden.get("pairs").get(i);
          float expected = golden.get("scores").get(i).floatValue();
          float found = reranker.score(pair.get(0).asText(), List.of(pair.get(1).asText()))[0];
          assertEquals(turned ? 1 - expected : expected, found, 1e-5f, "pair " + i);
        }
      }
    }
  }

  private static void vectors(Path folder, Path file) throws IOException {
    var texts = JSON.readTree(folder.resolve("golden.json").toFile()).get("texts");
    try (var reference = Checkpoint.open(folder.resolve("golden.safetensors"));
        var embedder = TextEmbedder.load(file, o -> o.dtype(DType.Plain.F32))) {
      for (int i = 0; i < texts.size(); i++) {
        float[] expected = reference.tensor("embedding").get(i).toFloats();
        float[] found = embedder.embed(List.of(texts.get(i).asText()))[0];
        assertArrayEquals(expected, found, 2e-5f, "text " + i);
      }
    }
  }

  private static GgufWriter writer(Path folder, String architecture) throws IOException {
    JsonNode config = JSON.readTree(folder.resolve("config.json").toFile());
    var writer = new GgufWriter().metadata("general.architecture", architecture);
    Map.of(
            "block_count", "num_hidden_layers",
            "context_length", "max_position_embeddings",
            "embedding_length", "hidden_size",
            "feed_forward_length", "intermediate_size",
            "attention.head_count", "num_attention_heads",
            "attention.head_count_kv", "num_key_value_heads",
            "attention.key_length", "head_dim",
            "attention.value_length", "head_dim")
        .forEach(
            (gguf, key) -> writer.metadata(architecture + "." + gguf, config.get(key).asInt()));
    writer
        .metadata(architecture + ".attention.layer_norm_rms_epsilon", 1e-6f)
        .metadata(architecture + ".rope.freq_base", 1e6f);
    GgufVocabulary.metadata(folder, config.get("vocab_size").asInt()).forEach(writer::metadata);
    boolean gemma = architecture.startsWith("gemma");
    try (var model = Checkpoint.open(folder.resolve("model.safetensors"))) {
      model
          .tensors()
          .forEach(
              (name, tensor) -> {
                // The checkpoint is closed when the file is written.
                var copy = tensor.copy(Arena.ofAuto());
                boolean shifted = gemma && name.contains("norm");
                for (long i = 0; shifted && i < copy.size(); i++) {
                  float v = copy.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
                  copy.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, 1 + v);
                }
                writer.add(ggufName(name.replaceFirst("^model\\.", ""), gemma), copy);
              });
    }
    return writer;
  }

  private static String ggufName(String name, boolean gemma) {
    if (name.equals("norm.weight")) {
      return "output_norm.weight";
    }
    String block =
        name.startsWith("layers.") ? name.replaceAll("^layers\\.(\\d+)\\..*", "blk.$1.") : "";
    var names = new LinkedHashMap<>(NAMES);
    names.put("post_attention_layernorm", gemma ? "post_attention_norm" : "ffn_norm");
    names.put("pre_feedforward_layernorm", "ffn_norm");
    names.put("post_feedforward_layernorm", "post_ffw_norm");
    for (var each : names.entrySet()) {
      if (name.contains(each.getKey() + ".")) {
        return block + each.getValue() + ".weight";
      }
    }
    throw new AssertionError(name);
  }
}
