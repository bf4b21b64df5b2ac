package io.gatun.models.clip;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// CLIP's text encoder: a causal transformer over a text's tokens.
///
/// Results are of the activations' type and come from the workspace: close a scope around their
/// use. A text is maxPositionEmbeddings tokens or fewer; those of a batch are equally long.
public final class CLIPTextModel {
  private final CLIPTextConfig config;
  private final List<float[]> taught;
  private final Tensor tokenEmbedding;
  private final Tensor positionEmbedding;
  private final List<CLIPEncoderLayer> layers = new ArrayList<>();
  private final LayerNorm finalLayerNorm;

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public CLIPTextModel(CLIPTextConfig config, Weights weights) {
    this(config, weights, List.of());
  }

  /// With embeddings of taught words, whose ids follow the vocabulary's.
  ///
  /// @param taught vectors (D)
  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public CLIPTextModel(CLIPTextConfig config, Weights weights, List<float[]> taught) {
    this.taught = taught;
    this.config = config;
    var model = weights.because(config.reason()).at("text_model");
    long d = config.hiddenSize();
    tokenEmbedding = model.tensor("embeddings.token_embedding.weight", config.vocabSize(), d);
    positionEmbedding =
        model.tensor("embeddings.position_embedding.weight", config.maxPositionEmbeddings(), d);
    var attention = AttentionSpec.of((int) d / config.numAttentionHeads());
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      layers.add(
          new CLIPEncoderLayer(
              d,
              config.intermediateSize(),
              config.numAttentionHeads(),
              config.hiddenAct(),
              config.layerNormEps(),
              attention,
              model.at("encoder.layers", i)));
    }
    finalLayerNorm = model.layerNorm("final_layer_norm", d, config.layerNormEps());
  }

  public CLIPTextConfig config() {
    return config;
  }

  /// The normalized hidden states after the last layer (B, S, D): what Stable Diffusion 1 and 2 are
  /// conditioned on.
  ///
  /// @param ids of B texts
  public Tensor forward(Functional f, int[][] ids) {
    return Scoped.call(f, () -> normalized(f, hiddenState(f, ids, 0)));
  }

  /// The hidden states (B, S, D) after all but the last `skip` layers, not normalized: the
  /// reference's `hidden_states[-(skip + 1)]`. SDXL is conditioned on those with skip 1; Stable
  /// Diffusion with a "clip skip" on theirs, [normalized][#normalized].
  ///
  /// @throws IllegalArgumentException if there are not that many layers, or texts are of different
  ///   or too great length
  public Tensor hiddenState(Functional f, int[][] ids, int skip) {
    return hiddenState(f, ids, skip, x -> {});
  }

  /// As [#hiddenState(Functional, int[][], int)], showing `probe` the hidden states (B, S, D) after
  /// the embedding and after each layer.
  public Tensor hiddenState(Functional f, int[][] ids, int skip, Consumer<Tensor> probe) {
    if (skip < 0 || skip > layers.size()) {
      throw new IllegalArgumentException(
          "%d layers to skip; the text encoder has %d".formatted(skip, layers.size()));
    }
    return Scoped.call(
        f,
        () -> {
          var x = embeddings(f, ids); // (B, S, D)
          probe.accept(x);
          for (var layer : layers.subList(0, layers.size() - skip)) {
            x = layer.forward(f, x);
            probe.accept(x);
          }
          return x;
        });
  }

  /// Hidden states (B, S, D) after the final layer normalization.
  public Tensor normalized(Functional f, Tensor hidden) {
    return finalLayerNorm.forward(f, hidden);
  }

  /// The normalized hidden state (B, D) after the last layer of each text's end.
  ///
  /// @param ids of B texts of equal length
  public Tensor pooledOutput(Functional f, int[][] ids) {
    return Scoped.call(f, () -> pooled(f, normalized(f, hiddenState(f, ids, 0)), ids));
  }

  /// The rows of the end tokens (B, D) of hidden states (B, S, D).
  Tensor pooled(Functional f, Tensor hidden, int[][] ids) {
    long d = config.hiddenSize();
    var out = f.empty(ids.length, d);
    long bytes = d * f.dtype().blockBytes();
    for (int b = 0; b < ids.length; b++) {
      long row = (long) b * ids[b].length + endOf(ids[b]);
      MemorySegment.copy(hidden.segment(), row * bytes, out.segment(), b * bytes, bytes);
    }
    return out;
  }

  private int endOf(int[] ids) {
    int end =
        config.eosTokenId() == 2
            ? Arrays.stream(ids).filter(id -> id < config.vocabSize()).max().orElseThrow()
            : config.eosTokenId();
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] == end) {
        return i;
      }
    }
    throw new IllegalArgumentException("a text has no end token, which is " + end);
  }

  /// x = embed(ids) + positions
  private Tensor embeddings(Functional f, int[][] ids) {
    int s = ids[0].length;
    if (s < 1 || s > config.maxPositionEmbeddings()) {
      throw new IllegalArgumentException(
          "a text of %d tokens; the text encoder reads 1 to %d"
              .formatted(s, config.maxPositionEmbeddings()));
    }
    for (int[] text : ids) {
      if (text.length != s) {
        throw new IllegalArgumentException(
            "texts of %d and %d tokens; pad them to one length".formatted(s, text.length));
      }
    }
    var all = Arrays.stream(ids).flatMapToInt(Arrays::stream).toArray();
    var tokens = lookUp(f, all).reshape(ids.length, s, config.hiddenSize()); // (B, S, D)
    return f.add(tokens, f.cast(positionEmbedding.slice(0, 0, s)));
  }

  /// The embeddings (T, D) of tokens, and of taught words.
  private Tensor lookUp(Functional f, int[] ids) {
    int[] known = Arrays.stream(ids).map(id -> id < config.vocabSize() ? id : 0).toArray();
    var rows = f.embedding(known, tokenEmbedding);
    long bytes = rows.byteSize() / ids.length;
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] >= config.vocabSize()) {
        float[] vector = taught.get(ids[i] - config.vocabSize());
        var row = f.ops().empty(1, vector.length);
        MemorySegment.copy(vector, 0, row.segment(), ValueLayout.JAVA_FLOAT, 0, vector.length);
        MemorySegment.copy(f.cast(row).segment(), 0, rows.segment(), i * bytes, bytes);
      }
    }
    return rows;
  }
}
