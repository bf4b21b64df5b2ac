package io.gatun.models.t5;

import io.gatun.models.nn.RmsNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// T5's encoder: blocks of attention, whose scores know how far apart tokens are, and of gated
/// feed-forward layers.
public final class T5EncoderModel {
  private final T5Config config;
  private final Tensor shared;
  private final RelativeAttentionBias bias;
  private final List<T5Block> block = new ArrayList<>();
  private final RmsNorm finalLayerNorm;

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public T5EncoderModel(T5Config config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.reason());
    // Files have the table under one of its two names, or both.
    String table = "encoder.embed_tokens.weight";
    boolean hasTable = weights.has(table);
    var embedTokens = hasTable ? weights.tensor(table, config.vocabSize(), config.dModel()) : null;
    shared =
        hasTable && !weights.has("shared.weight")
            ? embedTokens
            : weights.tensor("shared.weight", config.vocabSize(), config.dModel());
    var encoder = weights.at("encoder");
    for (int i = 0; i < config.numLayers(); i++) {
      block.add(new T5Block(config, encoder.at("block", i)));
    }
    bias =
        new RelativeAttentionBias(
            config,
            encoder.tensor(
                "block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                config.relativeAttentionNumBuckets(),
                config.numHeads()));
    finalLayerNorm =
        encoder.rmsNorm("final_layer_norm", config.dModel(), config.layerNormEpsilon());
  }

  public T5Config config() {
    return config;
  }

  /// The normalized hidden states (S, D) of a text's tokens, which all see each other.
  public Tensor forward(Functional f, int[] ids) {
    return forward(f, ids, x -> {});
  }

  /// As [#forward(Functional, int[])], showing `probe` the hidden states (S, D) after the embedding
  /// and after each block.
  ///
  ///     x = shared[ids];  x = block(x) for each block;  finalLayerNorm(x)
  public Tensor forward(Functional f, int[] ids, Consumer<Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var scores = bias.forward(f, ids.length); // (H, S, S)
          var x = f.embedding(ids, shared); // (S, D)
          probe.accept(x);
          for (var layer : block) {
            x = layer.forward(f, x, scores);
            probe.accept(x);
          }
          return finalLayerNorm.forward(f, x);
        });
  }
}
