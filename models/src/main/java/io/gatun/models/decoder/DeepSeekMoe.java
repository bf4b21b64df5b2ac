package io.gatun.models.decoder;

import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.ops.Activation;

/// The feed-forward layers of DeepSeek's models and of those made after them (arXiv 2401.06066):
/// dense in the first layers, then many small experts and some that every token uses.
///
/// @param f the width of one expert
/// @param shared that of all that every token uses, 0 for none
/// @param groups see [Router]
public record DeepSeekMoe(
    Config config,
    int f,
    int shared,
    Router.Scoring scoring,
    Router.Groups groups,
    boolean renormalize,
    float scale) {
  /// GGUF's number for routing by sigmoids.
  private static final int GGUF_SIGMOID = 2;

  /// Reads how a model routes.
  ///
  /// @param scoring of models of this type, where the file does not say
  /// @param renormalize whether weights sum to one, where the file does not say
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static DeepSeekMoe of(Keys keys, Config c, Router.Scoring scoring, boolean renormalize) {
    // The tensors show which layers are dense.
    keys.isAbsent("first_k_dense_replace");
    keys.require("moe_layer_freq", 1);
    var read =
        keys.isGguf()
            ? keys.integer("expert_gating_func", 0)
            : keys.text("scoring_func", "").equals("sigmoid") ? GGUF_SIGMOID : 0;
    int count = keys.count("n_group", 1);
    int limited = keys.count("topk_group", count);
    int used = keys.text("topk_method", "").equals("greedy") ? count : limited;
    int e = c.numLocalExperts();
    if (e % count != 0 || used > count || (long) e / count * used < c.numExpertsPerTok()) {
      throw new CheckpointException(
          "%s: %d experts in %d groups, of which a token uses %d groups and %d experts: need groups of one size that hold so many"
              .formatted(keys.where(), e, count, used, c.numExpertsPerTok()));
    }
    int f = keys.count("moe_intermediate_size");
    var rule = read == GGUF_SIGMOID ? Router.Scoring.SIGMOID : scoring;
    // A group counts as much as its best expert in V2, and as its two best in V3.
    int best = rule == Router.Scoring.SIGMOID ? 2 : 1;
    return new DeepSeekMoe(
        c,
        f,
        f * keys.countOrNone("n_shared_experts"),
        rule,
        used == count ? null : new Router.Groups(count, used, Math.min(best, e / count)),
        keys.flag("norm_topk_prob", renormalize),
        (float) keys.number("routed_scaling_factor", 1));
  }

  /// One layer.
  ///
  /// @param mlp the weights below the layer's `mlp`
  public FeedForward layer(DecoderWeights mlp) {
    int d = config.hiddenSize();
    if (!mlp.has("gate.weight")) {
      return mlp.gatedMlp(config.intermediateSize(), d, Activation.SILU);
    }
    int count = config.numLocalExperts();
    int perToken = config.numExpertsPerTok();
    String bias = "gate.e_score_correction_bias";
    var router =
        new Router(
            new Linear(mlp.matrix("gate", count, d), null),
            perToken,
            scoring,
            mlp.has(bias) ? mlp.vector(bias, count).toFloats() : null,
            groups,
            renormalize,
            scale,
            null);
    var moe =
        new Moe(
            router, mlp.experts(count, perToken).gated("experts", ExpertWeights.PROJECTIONS, f, d));
    return shared == 0
        ? moe
        : new SharedExpert(
            moe, mlp.at("shared_experts").gatedMlp(shared, d, Activation.SILU), null);
  }
}
