package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.Llm;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Precision;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A model as Meta gives it out: its own names, params.json, and queries and keys whose pairs of
/// rotated channels lie side by side.
class MetaParamsTest {
  private static final Path TINY = TestData.pretrained("tiny-llm");

  @TempDir Path temp;

  private Path meta(String more) throws IOException {
    Files.copy(TINY.resolve("tokenizer.json"), temp.resolve("tokenizer.json"));
    Files.copy(TINY.resolve("tokenizer_config.json"), temp.resolve("tokenizer_config.json"));
    String params =
        """
        {"dim": 128, "n_layers": 6, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 1024,
         "norm_eps": 1e-5, "rope_theta": 10000.0, "multiple_of": 32, "max_seq_len": 512%s}
        """
            .formatted(more);
    Files.writeString(temp.resolve("params.json"), params);
    try (var checkpoint = Checkpoint.open(TINY);
        var arena = Arena.ofConfined()) {
      var writer = new SafetensorsWriter();
      checkpoint
          .tensors()
          .forEach(
              (name, t) -> {
                int heads = name.contains("q_proj") ? 4 : name.contains("k_proj") ? 2 : 0;
                writer.add(named(name), heads == 0 ? t : paired(t, heads, arena));
              });
      writer.write(temp.resolve("consolidated.00.safetensors"));
    }
    return temp;
  }

  private static String named(String name) {
    return name.replace("model.", "")
        .replace("embed_tokens", "tok_embeddings")
        .replace("self_attn.q_proj", "attention.wq")
        .replace("self_attn.k_proj", "attention.wk")
        .replace("self_attn.v_proj", "attention.wv")
        .replace("self_attn.o_proj", "attention.wo")
        .replace("mlp.gate_proj", "feed_forward.w1")
        .replace("mlp.down_proj", "feed_forward.w2")
        .replace("mlp.up_proj", "feed_forward.w3")
        .replace("input_layernorm", "attention_norm")
        .replace("post_attention_layernorm", "ffn_norm");
  }

  /// Rows i and i + C / 2 of each head side by side.
  private static Tensor paired(Tensor t, int heads, Arena arena) {
    long c = t.dim(0) / heads;
    long columns = t.dim(1);
    return t.reshape(heads, 2, c / 2, columns)
        .transpose(1, 2)
        .copy(arena)
        .reshape(t.dim(0), columns);
  }

  @Test
  void givesTheSameLogits() throws IOException {
    try (var expected = Llm.load(TINY, o -> o.precision(Precision.F32));
        var found = Llm.load(meta(""), o -> o.precision(Precision.F32))) {
      String text = "ROMEO:\nWhat light through yonder window breaks";
      assertArrayEquals(expected.logits(text), found.logits(text), 1e-3f);
    }
  }

  @Test
  void ropeScalingWithoutItsFactorsIsRefused() throws IOException {
    Path dir = meta(", \"use_scaled_rope\": true");
    var error = assertThrows(CheckpointException.class, () -> Llm.load(dir));
    assertTrue(error.getMessage().contains("use_scaled_rope does not say"), error::getMessage);
  }

  @Test
  void anUnknownKeyIsRefused() throws IOException {
    Path dir = meta(", \"moe\": {\"num_experts\": 8}");
    var error = assertThrows(CheckpointException.class, () -> Llm.load(dir));
    assertTrue(error.getMessage().contains("moe"), error::getMessage);
  }
}
