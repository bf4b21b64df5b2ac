package io.gatun.models.vae;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.util.List;
import java.util.regex.Pattern;

/// The hyper-parameters of the autoencoder; components are named as in config.json.
///
/// @param scalingFactor what latents are multiplied by between the autoencoder and the network
/// @param shiftFactor what is taken from them before
/// @param batchNormEps what is added to the variances of latents in patches; 0 where there are none
public record AutoencoderKLConfig(
    int inChannels,
    int outChannels,
    List<Integer> blockOutChannels,
    int layersPerBlock,
    int latentChannels,
    int normNumGroups,
    int sampleSize,
    float scalingFactor,
    float shiftFactor,
    boolean useQuantConv,
    boolean usePostQuantConv,
    boolean midBlockAddAttention,
    double batchNormEps) {
  /// FLUX.2's.
  private static final String PATCHED = "AutoencoderKLFlux2";

  /// Of training, and of computing in F16: what overflows there does not in BF16, whose exponents
  /// are those of F32.
  private static final Pattern HARMLESS = Pattern.compile("batch_norm_momentum|force_upcast");

  /// Reads an autoencoder's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static AutoencoderKLConfig of(JsonKeys keys) {
    boolean patched = keys.text("_class_name", "").equals(PATCHED);
    keys.require("_class_name", patched ? PATCHED : "AutoencoderKL", "AutoencoderKL");
    if (patched && !keys.counts("patch_size", 2).equals(List.of(2, 2))) {
      throw new CheckpointException(keys.where() + ": \"patch_size\": Gatun runs only [2, 2]");
    }
    keys.refuse("decoder_block_out_channels");
    keys.require("act_fn", "silu", "silu");
    keys.refuse("latents_mean");
    keys.refuse("latents_std");
    var down = keys.texts("down_block_types");
    var up = keys.texts("up_block_types");
    if (down.size() != up.size()
        || !down.stream().allMatch("DownEncoderBlock2D"::equals)
        || !up.stream().allMatch("UpDecoderBlock2D"::equals)) {
      throw new CheckpointException(
          "%s: \"down_block_types\" is %s, \"up_block_types\" %s; Gatun runs DownEncoderBlock2D and as many UpDecoderBlock2D"
              .formatted(keys.where(), down, up));
    }
    var config =
        new AutoencoderKLConfig(
            keys.count("in_channels"),
            keys.count("out_channels"),
            keys.counts("block_out_channels", down.size()),
            keys.count("layers_per_block"),
            keys.count("latent_channels"),
            keys.count("norm_num_groups"),
            keys.integer("sample_size", 512),
            (float) keys.number("scaling_factor", patched ? 1 : 0.18215),
            (float) keys.number("shift_factor", 0),
            keys.flag("use_quant_conv", true),
            keys.flag("use_post_quant_conv", true),
            keys.flag("mid_block_add_attention", true),
            patched ? keys.number("batch_norm_eps", 1e-4) : 0);
    keys.requireAllRead(HARMLESS);
    return config;
  }

  /// Pixels to a latent, in both directions.
  public int factor() {
    return 1 << (blockOutChannels.size() - 1);
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "block_out_channels=%s, layers_per_block=%d, latent_channels=%d in config.json"
        .formatted(blockOutChannels, layersPerBlock, latentChannels);
  }
}
