package io.gatun.tools.bench.synthetic;

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
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// Checkpoints with the shapes of known models and random weights, for measuring speed: it does not
/// depend on what the weights are, as long as results stay finite.
///
/// @param experts of each layer, as wide as `intermediateSize`; 0 for dense layers
/// @param expertsPerToken of which a token uses so many
/// @param headDim numbers of a head; queries and keys are normed where there are experts
public record SyntheticDecoder(
    String name,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    int vocabSize,
    int experts,
    int expertsPerToken) {
  private static final Map<String, SyntheticDecoder> SHAPES = new LinkedHashMap<>();

  static {
    add(llama("tinyllama-1.1b", 2048, 5632, 22, 32, 4, 32000));
    add(llama("llama-3.2-1b", 2048, 8192, 16, 32, 8, 128256));
    add(llama("llama-2-7b", 4096, 11008, 32, 32, 32, 32000));
    add(llama("llama-3.1-8b", 4096, 14336, 32, 32, 8, 128256));
    // A quarter of it: 12 of 48 layers, and as much of the vocabulary of 151,936, so that the
    // output matrix has its share of what a token reads.
    add(new SyntheticDecoder("qwen3-30b-a3b", 2048, 768, 12, 32, 4, 128, 37984, 128, 8));
  }

  private static SyntheticDecoder llama(
      String name, int hidden, int f, int layers, int heads, int kvHeads, int vocabulary) {
    return new SyntheticDecoder(
        name, hidden, f, layers, heads, kvHeads, hidden / heads, vocabulary, 0, 0);
  }

  /// By the names of the command line.
  public static Map<String, SyntheticDecoder> shapes() {
    return Collections.unmodifiableMap(SHAPES);
  }

  private static void add(SyntheticDecoder shape) {
    SHAPES.put(shape.name, shape);
  }

  /// How the matrices are stored.
  public enum Weights {
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
  public Path checkpoint(Weights weights) {
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

  private boolean isMixture() {
    return experts > 0;
  }

  private String config() {
    return """
    {"model_type": "%s", "hidden_size": %d, "%s": %d, "num_hidden_layers": %d,
     "num_attention_heads": %d, "num_key_value_heads": %d, "head_dim": %d, "vocab_size": %d,
     "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0%s}
    """
        .formatted(
            isMixture() ? "qwen3_moe" : "llama",
            hiddenSize,
            isMixture() ? "moe_intermediate_size" : "intermediate_size",
            intermediateSize,
            numHiddenLayers,
            numAttentionHeads,
            numKeyValueHeads,
            headDim,
            vocabSize,
            isMixture()
                ? ", \"num_experts\": %d, \"num_experts_per_tok\": %d, \"norm_topk_prob\": true"
                    .formatted(experts, expertsPerToken)
                : "");
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
      target.add(p + "self_attn.q_proj.weight", type, q(), hiddenSize);
      target.add(p + "self_attn.k_proj.weight", type, kv(), hiddenSize);
      target.add(p + "self_attn.v_proj.weight", type, kv(), hiddenSize);
      target.add(p + "self_attn.o_proj.weight", type, hiddenSize, q());
      target.add(p + "post_attention_layernorm.weight", DType.Plain.F32, hiddenSize);
      if (isMixture()) {
        target.add(p + "self_attn.q_norm.weight", DType.Plain.F32, headDim);
        target.add(p + "self_attn.k_norm.weight", DType.Plain.F32, headDim);
        target.add(p + "mlp.gate.weight", DType.Plain.BF16, experts, hiddenSize);
        for (int e = 0; e < experts; e++) {
          addMlp(target, p + "mlp.experts." + e, type);
        }
      } else {
        addMlp(target, p + "mlp", type);
      }
    }
    writer.write(file);
  }

  private void addMlp(Target target, String name, DType type) {
    target.add(name + ".gate_proj.weight", type, intermediateSize, hiddenSize);
    target.add(name + ".up_proj.weight", type, intermediateSize, hiddenSize);
    target.add(name + ".down_proj.weight", type, hiddenSize, intermediateSize);
  }

  private void writeGguf(Path file, DType type) {
    var writer = new GgufWriter();
    String architecture = isMixture() ? "qwen3moe" : "llama";
    writer
        .metadata("general.architecture", architecture)
        .metadata("general.name", name)
        .metadata(architecture + ".context_length", 4096L)
        .metadata(architecture + ".embedding_length", (long) hiddenSize)
        .metadata(architecture + ".block_count", (long) numHiddenLayers)
        .metadata(architecture + ".attention.head_count", (long) numAttentionHeads)
        .metadata(architecture + ".attention.head_count_kv", (long) numKeyValueHeads)
        .metadata(architecture + ".attention.key_length", (long) headDim)
        .metadata(architecture + ".attention.value_length", (long) headDim)
        .metadata(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f)
        .metadata(architecture + ".vocab_size", (long) vocabSize);
    if (isMixture()) {
      writer
          .metadata(architecture + ".expert_count", (long) experts)
          .metadata(architecture + ".expert_used_count", (long) expertsPerToken)
          .metadata(architecture + ".expert_feed_forward_length", (long) intermediateSize);
    } else {
      writer
          .metadata(architecture + ".feed_forward_length", (long) intermediateSize)
          .metadata(architecture + ".rope.dimension_count", (long) headDim);
    }
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
      target.add(p + "attn_q.weight", type, q(), hiddenSize);
      target.add(p + "attn_k.weight", type, kv(), hiddenSize);
      target.add(p + "attn_v.weight", type, kv(), hiddenSize);
      target.add(p + "attn_output.weight", type, hiddenSize, q());
      target.add(p + "ffn_norm.weight", DType.Plain.F32, hiddenSize);
      if (isMixture()) {
        target.add(p + "attn_q_norm.weight", DType.Plain.F32, headDim);
        target.add(p + "attn_k_norm.weight", DType.Plain.F32, headDim);
        target.add(p + "ffn_gate_inp.weight", DType.Plain.F32, experts, hiddenSize);
        target.add(p + "ffn_gate_exps.weight", type, experts, intermediateSize, hiddenSize);
        target.add(p + "ffn_up_exps.weight", type, experts, intermediateSize, hiddenSize);
        target.add(p + "ffn_down_exps.weight", type, experts, hiddenSize, intermediateSize);
      } else {
        target.add(p + "ffn_gate.weight", type, intermediateSize, hiddenSize);
        target.add(p + "ffn_up.weight", type, intermediateSize, hiddenSize);
        target.add(p + "ffn_down.weight", type, hiddenSize, intermediateSize);
      }
    }
    writer.write(file);
  }

  private long q() {
    return (long) headDim * numAttentionHeads;
  }

  private long kv() {
    return (long) headDim * numKeyValueHeads;
  }
}
