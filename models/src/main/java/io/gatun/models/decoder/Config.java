package io.gatun.models.decoder;

import io.gatun.loaders.CheckpointException;
import java.util.List;
import java.util.regex.Pattern;

/// What all decoders have; components are named as in config.json.
///
/// @param rope that of layers that see everything
/// @param slidingWindow positions that a token sees, in layers that do not see all; 0 for none such
/// @param numLocalExperts experts of a mixture, 0 for a dense model
public record Config(
    String modelType,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    int vocabSize,
    int maxPositionEmbeddings,
    float normEps,
    RopeConfig rope,
    int slidingWindow,
    int numLocalExperts,
    int numExpertsPerTok) {
  /// What [DecoderWeights] sees from the tensors; what is for training, or for windows that are
  /// off; how the file was made.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "(attention|mlp|qkv)_bias|max_window_layers|rope_theta|vocab_size|multiple_of"
              + "|ffn_dim_multiplier|hidden_dim|max_batch_size|model_args");

  private static final Pattern HARMLESS_GGUF =
      Pattern.compile(
          "layer_norm_eps|moe_intermediate_size|.*\\.(tensor_data_layout|pooling_type|classifier\\.output_labels|dense_\\d_feat_(in|out))");

  private static final List<String> EPSILONS =
      List.of("norm_epsilon", "rms_norm_eps", "norm_eps", "layer_norm_epsilon", "layer_norm_eps");

  /// A head has at most some hundred numbers; more would only take memory.
  private static final int MAX_HEAD_DIM = 1 << 14;

  private static final int MAX_LAYERS = 1 << 12;

  /// What transformers takes where an old file says nothing.
  ///
  /// @param headDim 0 for hidden size / heads
  public record Defaults(double eps, double theta, int headDim, int maxPositions) {
    /// Llama's.
    public static final Defaults LLAMA = new Defaults(1e-6, 1e4, 0, 2048);

    /// As Llama's, with another epsilon and base.
    public static Defaults of(double eps, double theta) {
      return new Defaults(eps, theta, 0, 2048);
    }
  }

  /// Reads what all decoders have.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static Config of(Keys keys, Defaults defaults) {
    int hidden = keys.count("hidden_size");
    int heads = keys.count("num_attention_heads");
    int headDim = keys.count("head_dim", defaults.headDim > 0 ? defaults.headDim : hidden / heads);
    if (keys.count("v_head_dim", headDim) != headDim) {
      throw new CheckpointException(
          "%s: %s is %d, but heads have keys of %d numbers; Gatun runs keys and values of one size"
              .formatted(
                  keys.where(), keys.shown("v_head_dim"), keys.count("v_head_dim"), headDim));
    }
    return of(keys, defaults, headDim);
  }

  /// As [#of(Keys, Defaults)], for models whose keys and values differ in size. Where layers do, it
  /// is the sizes of the first one that has such a part.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static Config of(Keys keys, Defaults defaults, int headDim) {
    int hidden = keys.count("hidden_size");
    int heads = keys.count("num_attention_heads");
    int layers = keys.layers();
    int experts = keys.experts();
    String eps =
        EPSILONS.stream().filter(key -> !keys.isAbsent(key)).findFirst().orElse("rms_norm_eps");
    return new Config(
        keys.type(),
        hidden,
        intermediateSize(keys),
        layers,
        heads,
        keys.isAbsent("num_key_value_heads") ? heads : keys.ofFirst("num_key_value_heads"),
        headDim,
        keys.count("vocab_size"),
        keys.count("max_position_embeddings", defaults.maxPositions),
        (float) keys.number(eps, defaults.eps),
        RopeConfig.of(keys, "full_attention", defaults.theta),
        0,
        experts,
        experts == 0 ? 0 : keys.count("num_experts_per_tok", 2));
  }

  /// That of dense layers, or, in a model that has none, of an expert.
  private static int intermediateSize(Keys keys) {
    return keys.isAbsent("intermediate_size")
        ? keys.first("block_ff_dim", "moe_intermediate_size", "intermediate_size")
        : keys.ofFirst("intermediate_size");
  }

  /// The same with layers that see no more than so many positions.
  public Config withSlidingWindow(int window) {
    return new Config(
        modelType,
        hiddenSize,
        intermediateSize,
        numHiddenLayers,
        numAttentionHeads,
        numKeyValueHeads,
        headDim,
        vocabSize,
        maxPositionEmbeddings,
        normEps,
        rope,
        window,
        numLocalExperts,
        numExpertsPerTok);
  }

  /// Checks, once an architecture has read what it knows, that the file says no more.
  static void requireAllRead(Keys keys) {
    keys.requireAllRead(
        keys.isGguf()
            ? Pattern.compile(HARMLESS.pattern() + "|" + HARMLESS_GGUF.pattern())
            : HARMLESS);
  }

  /// The heads of each layer.
  public SelfAttention.Heads heads() {
    return new SelfAttention.Heads(numAttentionHeads, numKeyValueHeads, headDim);
  }

  public Config {
    if (numAttentionHeads % numKeyValueHeads != 0) {
      throw new CheckpointException(
          "num_attention_heads %d is not a multiple of num_key_value_heads %d"
              .formatted(numAttentionHeads, numKeyValueHeads));
    }
    if (numHiddenLayers > MAX_LAYERS) {
      throw new CheckpointException(
          "num_hidden_layers %d: need at most %d".formatted(numHiddenLayers, MAX_LAYERS));
    }
    if (headDim <= 0 || headDim % 2 != 0 || headDim > MAX_HEAD_DIM) {
      throw new CheckpointException(
          "head_dim %d: need an even number from 2 to %d".formatted(headDim, MAX_HEAD_DIM));
    }
    if (!(normEps >= 0 && normEps < 1) || slidingWindow < 0) {
      throw new CheckpointException(
          "rms_norm_eps %s, sliding_window %d: need at least 0, the first below 1"
              .formatted(normEps, slidingWindow));
    }
    if (numExpertsPerTok > numLocalExperts) {
      throw new CheckpointException(
          "num_experts_per_tok %d exceeds num_local_experts %d"
              .formatted(numExpertsPerTok, numLocalExperts));
    }
  }
}
