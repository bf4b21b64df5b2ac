package io.gatun.tools;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.ffm.files.UserCache;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.text.GgufVocabulary;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// Checkpoints with the shapes of known models and random weights, for measuring speed: it does not
/// depend on what the weights are, as long as results stay finite.
record SyntheticLlama(
    String name,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int vocabSize) {
  static final Map<String, SyntheticLlama> SHAPES = new LinkedHashMap<>();

  static {
    add(new SyntheticLlama("tinyllama-1.1b", 2048, 5632, 22, 32, 4, 32000));
    add(new SyntheticLlama("llama-3.2-1b", 2048, 8192, 16, 32, 8, 128256));
    add(new SyntheticLlama("llama-2-7b", 4096, 11008, 32, 32, 32, 32000));
    add(new SyntheticLlama("llama-3.1-8b", 4096, 14336, 32, 32, 8, 128256));
  }

  private static void add(SyntheticLlama shape) {
    SHAPES.put(shape.name, shape);
  }

  /// How the matrices are stored.
  enum Weights {
    F32(DType.Plain.F32),
    BF16(DType.Plain.BF16),
    INT8(new DType.Tiled(8, 32)),
    INT4(new DType.Tiled(4, 32)),
    Q4_0(DType.Block.Q4_0),
    Q4_K(DType.Block.Q4_K),
    Q6_K(DType.Block.Q6_K),
    Q8_0(DType.Block.Q8_0);

    final DType dtype;

    Weights(DType dtype) {
      this.dtype = dtype;
    }
  }

  /// The checkpoint in the cache, written if it is not there yet: a directory, or a GGUF file.
  Path checkpoint(Weights weights) {
    boolean gguf = weights.dtype instanceof DType.Block;
    try {
      String folder = "synthetic/" + name + "-" + weights.name().toLowerCase(Locale.ROOT);
      Path dir = UserCache.openLasting(folder);
      Path file = dir.resolve(gguf ? "model.gguf" : "model.safetensors");
      Path tokenizer = dir.resolve("tokenizer.json");
      if (!Files.exists(tokenizer)) {
        AtomicFile.write(tokenizer, SyntheticTokenizer.json(vocabSize));
      }
      if (!Files.exists(file)) {
        if (gguf) {
          writeGguf(file, weights.dtype);
        } else {
          AtomicFile.write(dir.resolve("config.json"), config());
          writeSafetensors(file, weights.dtype);
        }
      }
      return gguf ? file : dir;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String config() {
    return """
    {"model_type": "llama", "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d,
     "num_attention_heads": %d, "num_key_value_heads": %d, "vocab_size": %d,
     "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0}
    """
        .formatted(
            hiddenSize,
            intermediateSize,
            numHiddenLayers,
            numAttentionHeads,
            numKeyValueHeads,
            vocabSize);
  }

  private interface Target {
    void add(String name, DType dtype, long... dims);
  }

  private void writeSafetensors(Path file, DType type) {
    var writer = new SafetensorsWriter();
    Target target =
        (tensor, dtype, dims) ->
            writer.add(tensor, dtype, Shape.of(dims), RandomWeights.data(dtype, dims));
    target.add("model.embed_tokens.weight", DType.Plain.BF16, vocabSize, hiddenSize);
    target.add("model.norm.weight", DType.Plain.F32, hiddenSize);
    target.add("lm_head.weight", type, vocabSize, hiddenSize);
    for (int i = 0; i < numHiddenLayers; i++) {
      String p = "model.layers." + i + ".";
      target.add(p + "input_layernorm.weight", DType.Plain.F32, hiddenSize);
      target.add(p + "self_attn.q_proj.weight", type, hiddenSize, hiddenSize);
      target.add(p + "self_attn.k_proj.weight", type, kv(), hiddenSize);
      target.add(p + "self_attn.v_proj.weight", type, kv(), hiddenSize);
      target.add(p + "self_attn.o_proj.weight", type, hiddenSize, hiddenSize);
      target.add(p + "post_attention_layernorm.weight", DType.Plain.F32, hiddenSize);
      target.add(p + "mlp.gate_proj.weight", type, intermediateSize, hiddenSize);
      target.add(p + "mlp.up_proj.weight", type, intermediateSize, hiddenSize);
      target.add(p + "mlp.down_proj.weight", type, hiddenSize, intermediateSize);
    }
    writer.write(file);
  }

  private void writeGguf(Path file, DType type) {
    var writer = new GgufWriter();
    writer
        .metadata("general.architecture", "llama")
        .metadata("general.name", name)
        .metadata("llama.context_length", 4096L)
        .metadata("llama.embedding_length", (long) hiddenSize)
        .metadata("llama.block_count", (long) numHiddenLayers)
        .metadata("llama.feed_forward_length", (long) intermediateSize)
        .metadata("llama.attention.head_count", (long) numAttentionHeads)
        .metadata("llama.attention.head_count_kv", (long) numKeyValueHeads)
        .metadata("llama.attention.layer_norm_rms_epsilon", 1e-5f)
        .metadata("llama.rope.dimension_count", (long) hiddenSize / numAttentionHeads)
        .metadata("llama.vocab_size", (long) vocabSize);
    GgufVocabulary.metadata(file.getParent(), vocabSize).forEach(writer::metadata);
    Target target =
        (tensor, dtype, dims) ->
            writer.add(tensor, dtype, Shape.of(dims), RandomWeights.data(dtype, dims));
    target.add("token_embd.weight", type, vocabSize, hiddenSize);
    target.add("output_norm.weight", DType.Plain.F32, hiddenSize);
    target.add("output.weight", type, vocabSize, hiddenSize);
    for (int i = 0; i < numHiddenLayers; i++) {
      String p = "blk." + i + ".";
      target.add(p + "attn_norm.weight", DType.Plain.F32, hiddenSize);
      target.add(p + "attn_q.weight", type, hiddenSize, hiddenSize);
      target.add(p + "attn_k.weight", type, kv(), hiddenSize);
      target.add(p + "attn_v.weight", type, kv(), hiddenSize);
      target.add(p + "attn_output.weight", type, hiddenSize, hiddenSize);
      target.add(p + "ffn_norm.weight", DType.Plain.F32, hiddenSize);
      target.add(p + "ffn_gate.weight", type, intermediateSize, hiddenSize);
      target.add(p + "ffn_up.weight", type, intermediateSize, hiddenSize);
      target.add(p + "ffn_down.weight", type, hiddenSize, intermediateSize);
    }
    writer.write(file);
  }

  private long kv() {
    return (long) hiddenSize / numAttentionHeads * numKeyValueHeads;
  }
}
