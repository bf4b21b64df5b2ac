package io.gatun.models.rewrite;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.RopeScaling;
import io.gatun.models.decoder.TensorNames;
import io.gatun.models.text.GgufVocabulary;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongUnaryOperator;

/// A Hugging Face or Meta checkpoint as GGUF has it: names, layout of the heads, stacked experts,
/// metadata, tokenizer.
///
/// Source: `docs/gguf.md` in <https://github.com/ggml-org/ggml> and `convert_hf_to_gguf.py` in
/// <https://github.com/ggml-org/llama.cpp>.
final class GgufExport {
  private final Checkpoint checkpoint;
  private final Config config;
  private final TensorNames names;
  private final DType.Block type;
  private final String architecture;

  GgufExport(Checkpoint checkpoint, Config config, TensorNames names, DType.Block type) {
    this.checkpoint = checkpoint;
    this.config = config;
    this.names = names;
    this.type = type;
    architecture =
        switch (config.modelType()) {
          case "llama", "mistral", "mixtral" -> "llama";
          case "qwen2", "qwen3" -> config.modelType();
          default ->
              throw new CheckpointException(
                  "%s: is a model of type \"%s\", which Gatun cannot write as GGUF (but llama, mistral, mixtral, qwen2 and qwen3); --mode int4 and int8 make one that Gatun runs"
                      .formatted(checkpoint.path(), config.modelType()));
        };
  }

  /// @throws CheckpointException if GGUF has no name for a tensor, or no form for the tokenizer
  Map<String, Object> metadata() {
    var map = new LinkedHashMap<String, Object>();
    map.put("general.architecture", architecture);
    map.put("general.name", checkpoint.path().toAbsolutePath().getFileName().toString());
    map.put("general.quantization_version", 2);
    put(map, "context_length", config.maxPositionEmbeddings());
    put(map, "embedding_length", config.hiddenSize());
    put(map, "block_count", config.numHiddenLayers());
    put(map, "feed_forward_length", config.intermediateSize());
    put(map, "attention.head_count", config.numAttentionHeads());
    put(map, "attention.head_count_kv", config.numKeyValueHeads());
    put(map, "attention.key_length", config.headDim());
    put(map, "attention.value_length", config.headDim());
    put(map, "attention.layer_norm_rms_epsilon", config.normEps());
    put(map, "rope.dimension_count", config.headDim());
    put(map, "rope.freq_base", (float) config.rope().theta());
    put(map, "vocab_size", config.vocabSize());
    switch (config.rope().scaling()) {
      case RopeScaling.Linear(double factor) -> {
        put(map, "rope.scaling.type", "linear");
        put(map, "rope.scaling.factor", (float) factor);
      }
      case RopeScaling.None _, RopeScaling.Llama3 _ -> {}
      default ->
          throw new CheckpointException(
              "%s: its positions are scaled in a way (%s) that Gatun cannot write as GGUF; --mode int4 and int8 make a model that Gatun runs"
                  .formatted(
                      checkpoint.path(), config.rope().scaling().getClass().getSimpleName()));
    }
    if (config.slidingWindow() > 0) {
      put(map, "attention.sliding_window", config.slidingWindow());
    }
    if (config.numLocalExperts() > 0) {
      put(map, "expert_count", config.numLocalExperts());
      put(map, "expert_used_count", config.numExpertsPerTok());
    }
    map.putAll(GgufVocabulary.metadata(checkpoint.path(), config.vocabSize()));
    return map;
  }

  private void put(Map<String, Object> map, String key, Object value) {
    map.put(architecture + "." + key, value);
  }

  /// The tensors, and notes on those that are not quantized.
  List<RewrittenTensor> tensors(List<String> notes) {
    var tensors = new ArrayList<RewrittenTensor>();
    var stacks = new LinkedHashMap<String, Map<Integer, Tensor>>();
    boolean tied = !checkpoint.tensors().containsKey(names.name("lm_head.weight"));
    checkpoint
        .tensors()
        .forEach(
            (name, tensor) -> {
              String gguf = names.toGguf(name);
              if (gguf == null) {
                notes.add(name + " is left out: GGUF has no name for it");
              } else if (gguf.matches(".*\\.ffn_(gate|up|down)\\.\\d+\\.weight")) {
                int dot = gguf.lastIndexOf('.', gguf.length() - ".weight".length() - 1);
                int expert = Integer.parseInt(gguf.substring(dot + 1, gguf.lastIndexOf('.')));
                String stack = gguf.substring(0, dot) + "_exps.weight";
                stacks.computeIfAbsent(stack, s -> new TreeMap<>()).put(expert, tensor);
              } else {
                var dtype = dtype(name, gguf, tensor, tied, notes);
                tensors.add(
                    new RewrittenTensor(gguf, List.of(tensor), dtype, tensor.shape(), rowOf(gguf)));
              }
            });
    stacks.forEach(
        (name, experts) -> {
          var first = experts.get(0);
          var dtype = dtype(name, first, notes);
          var shape = Shape.of(experts.size(), first.dim(0), first.dim(1));
          tensors.add(new RewrittenTensor(name, List.copyOf(experts.values()), dtype, shape, null));
        });
    if (config.rope().scaling() instanceof RopeScaling.Llama3) {
      float[] divisors = config.rope().divisors(config.headDim());
      var tensor = Tensor.ofFloats(Arena.ofAuto(), divisors, divisors.length);
      tensors.add(RewrittenTensor.of("rope_freqs.weight", tensor, DType.Plain.F32));
    }
    return tensors;
  }

  /// An embedding that is the output too has eight bits, whatever the rest has.
  private DType dtype(String name, String gguf, Tensor tensor, boolean tied, List<String> notes) {
    if (names.isLinear(name)) {
      return dtype(name, tensor, notes);
    }
    boolean embedding = gguf.equals("token_embd.weight");
    if (embedding && tied && tensor.dim(1) % DType.Block.Q8_0.blockSize() == 0) {
      return DType.Block.Q8_0;
    }
    return embedding && tensor.dtype() instanceof DType.Plain ? tensor.dtype() : DType.Plain.F32;
  }

  private DType dtype(String name, Tensor tensor, List<String> notes) {
    if (tensor.dim(1) % type.blockSize() == 0) {
      return type;
    }
    notes.add(
        "%s becomes F32: its rows of %d are no whole blocks of %d"
            .formatted(name, tensor.dim(1), type.blockSize()));
    return DType.Plain.F32;
  }

  /// GGUF's Llama models have the pairs that RoPE turns side by side, as Meta's have, and not in
  /// the two halves of a head.
  private LongUnaryOperator rowOf(String gguf) {
    boolean turned = gguf.matches("blk\\.\\d+\\.attn_[qk]\\.(weight|bias)");
    if (!turned
        || names.family() != TensorNames.Family.HUGGING_FACE
        || !architecture.equals("llama")) {
      return null;
    }
    int d = config.headDim();
    return row -> row / d * d + row % d / 2 + row % 2 * (d / 2);
  }
}
