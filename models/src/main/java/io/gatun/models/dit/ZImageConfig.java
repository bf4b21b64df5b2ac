package io.gatun.models.dit;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.util.List;
import java.util.regex.Pattern;

/// The hyper-parameters of Z-Image's transformer; components are named as in config.json.
public record ZImageConfig(
    int inChannels,
    int dim,
    int nLayers,
    int nRefinerLayers,
    int nHeads,
    float normEps,
    int capFeatDim,
    double ropeTheta,
    double tScale,
    List<Integer> axesDims) {
  /// How far places may go: they are computed, not looked up.
  private static final Pattern HARMLESS = Pattern.compile("axes_lens");

  /// Reads the transformer's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static ZImageConfig of(JsonKeys keys) {
    keys.require("_class_name", "ZImageTransformer2DModel", "ZImageTransformer2DModel");
    if (!keys.counts("all_patch_size").equals(List.of(ZImageTransformer2DModel.PATCH))
        || !keys.counts("all_f_patch_size").equals(List.of(1))) {
      throw new CheckpointException(
          keys.where() + ": all_patch_size, all_f_patch_size: Gatun runs only [2] and [1]");
    }
    keys.refuse("siglip_feat_dim");
    keys.requireFlag("qk_norm", true);
    int heads = keys.count("n_heads");
    keys.require("n_kv_heads", heads);
    int dim = keys.count("dim");
    var config =
        new ZImageConfig(
            keys.count("in_channels"),
            dim,
            keys.count("n_layers"),
            keys.count("n_refiner_layers"),
            heads,
            (float) keys.number("norm_eps", 1e-5),
            keys.count("cap_feat_dim"),
            keys.number("rope_theta", 256),
            keys.number("t_scale", 1000),
            keys.counts("axes_dims"));
    keys.requireAllRead(HARMLESS);
    return config;
  }

  public ZImageConfig {
    FluxConfig.requireAxes(axesDims, 3, dim / nHeads);
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "dim=%d, n_heads=%d, n_layers=%d, n_refiner_layers=%d, cap_feat_dim=%d in config.json"
        .formatted(dim, nHeads, nLayers, nRefinerLayers, capFeatDim);
  }
}
