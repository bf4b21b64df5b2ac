package io.gatun.models.llama;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.UsedTensors;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// The tensors of a checkpoint by Hugging Face's names, their shapes checked against the
/// configuration.
final class LlamaWeights {
  private final LlamaConfig config;

  /// The rotary frequencies, which follow from the configuration, which old conversions keep.
  private static final Pattern LEFTOVERS =
      Pattern.compile(
          "(model\\.layers\\.\\d+\\.self_attn|model|layers\\.\\d+\\.attention\\.inner_attention)"
              + "\\.(rotary_emb|rope)\\.(inv_freq|freqs)$"
              + "|rope\\.freqs$|blk\\.\\d+\\.(attn_rot_embd|rope_freqs)(\\.weight)?$");

  private final UsedTensors tensors;
  private final LlamaNames names;
  // Norms and biases, converted to F32: a few kilobytes a layer.
  private final Arena arena = Arena.ofAuto();

  LlamaWeights(LlamaConfig config, Checkpoint checkpoint) {
    tensors = new UsedTensors(checkpoint);
    names = LlamaNames.of(checkpoint);
    if (names == null) {
      throw new CheckpointException(
          "%s: no embedding table under any name that Llama models use (%s). %s"
              .formatted(
                  path(),
                  "model.embed_tokens.weight, token_embd.weight, tok_embeddings.weight",
                  list()));
    }
    this.config = names == LlamaNames.META ? config.withInterleavedRope() : config;
  }

  LlamaConfig config() {
    return config;
  }

  /// The hidden size.
  long d() {
    return config.hiddenSize();
  }

  /// The feed-forward size.
  long f() {
    return config.intermediateSize();
  }

  boolean has(String name, Object... numbers) {
    return tensors.has(names.name(name, numbers));
  }

  /// A matrix of any type, in place.
  Tensor matrix(String name, long rows, long columns, Object... numbers) {
    return checked(names.name(name, numbers), Shape.of(rows, columns));
  }

  /// A vector as F32.
  Tensor vector(String name, long size, Object... numbers) {
    return Ops.toF32(checked(names.name(name, numbers), Shape.of(size)), arena);
  }

  /// A vector as F32, or null where there is none.
  Tensor optionalVector(String name, long size, Object... numbers) {
    return has(name, numbers) ? vector(name, size, numbers) : null;
  }

  /// One matrix of an expert; GGUF files stack those of a layer in one tensor.
  Tensor expert(String part, long rows, long columns, int layer, int expert) {
    String stacked =
        "blk.%d.ffn_%s_exps.weight"
            .formatted(layer, part.equals("w1") ? "gate" : part.equals("w2") ? "down" : "up");
    if (tensors.has(stacked)) {
      return checked(stacked, Shape.of(config.numLocalExperts(), rows, columns)).get(expert);
    }
    return matrix(
        "model.layers.%d.block_sparse_moe.experts.%d." + part + ".weight",
        rows,
        columns,
        layer,
        expert);
  }

  /// What GGUF files of Llama 3.1 divide the rotary frequencies by, or null.
  float[] ropeDivisors() {
    String name = "rope_freqs.weight";
    return tensors.has(name) ? checked(name, Shape.of(config.headDim() / 2)).toFloats() : null;
  }

  private Tensor checked(String name, Shape shape) {
    Tensor t = tensors.use(name);
    if (t == null) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is missing; the model has %d layers. %s"
              .formatted(path(), name, config.numHiddenLayers(), list()));
    }
    if (!t.shape().equals(shape)) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s %s; need %s, as the configuration says (%s). %s"
              .formatted(path(), name, t.shape(), t.dtype().name(), shape, sizes(), list()));
    }
    if (!Ops.supports(t.dtype())) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s, with which Gatun cannot compute; get the model as Q4_K, Q4_0,"
                  .formatted(path(), name, t.dtype().name())
              + " Q8_0 or BF16. "
              + list());
    }
    if (t.dtype() instanceof DType.Plain && !t.isContiguous()) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is stored transposed or with gaps; save it with .contiguous()"
              .formatted(path(), name));
    }
    return t;
  }

  /// @throws CheckpointException if the checkpoint has tensors that nothing has asked for
  void requireAllUsed() {
    tensors.requireAllUsed(LEFTOVERS);
  }

  private String sizes() {
    return "hidden_size=%d, intermediate_size=%d, heads=%d/%d of %d, vocab_size=%d"
        .formatted(
            config.hiddenSize(),
            config.intermediateSize(),
            config.numAttentionHeads(),
            config.numKeyValueHeads(),
            config.headDim(),
            config.vocabSize());
  }

  private Path path() {
    return tensors.checkpoint().path();
  }

  private String list() {
    return "List the file with: gatun inspect " + path();
  }
}
