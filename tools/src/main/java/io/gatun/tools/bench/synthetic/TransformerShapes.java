package io.gatun.tools.bench.synthetic;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/// The transformers and autoencoders of known pipelines, as diffusers configures them. Their text
/// encoders are left out: those of most are larger than the transformer, and read a text once.
enum TransformerShapes {
  /// PixArt-XL-2-1024-MS.
  PIXART(
      """
      {"model_index": {"_class_name": "PixArtAlphaPipeline"},
       "transformer": {"_class_name": "PixArtTransformer2DModel", "sample_size": 128,
         "in_channels": 4, "out_channels": 8, "num_layers": 28, "num_attention_heads": 16,
         "attention_head_dim": 72, "cross_attention_dim": 1152, "caption_channels": 4096,
         "interpolation_scale": 2, "norm_eps": 1e-6, "norm_elementwise_affine": false},
      """,
      4),
  SD35_MEDIUM(
      """
      {"model_index": {"_class_name": "StableDiffusion3Pipeline"},
       "transformer": {"_class_name": "SD3Transformer2DModel", "sample_size": 128,
         "num_layers": 24, "num_attention_heads": 24, "attention_head_dim": 64,
         "caption_projection_dim": 1536, "joint_attention_dim": 4096,
         "pooled_projection_dim": 2048, "pos_embed_max_size": 384, "qk_norm": "rms_norm",
         "dual_attention_layers": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]},
      """,
      16),
  /// FLUX.2 klein of 4 billion weights.
  FLUX2_KLEIN(
      """
      {"model_index": {"_class_name": "Flux2KleinPipeline"},
       "transformer": {"_class_name": "Flux2Transformer2DModel", "in_channels": 128,
         "num_layers": 5, "num_single_layers": 20, "num_attention_heads": 24,
         "attention_head_dim": 128, "joint_attention_dim": 7680, "mlp_ratio": 3.0,
         "axes_dims_rope": [32, 32, 32, 32], "rope_theta": 2000, "guidance_embeds": false},
      """,
      32),
  Z_IMAGE(
      """
      {"model_index": {"_class_name": "ZImagePipeline"},
       "transformer": {"_class_name": "ZImageTransformer2DModel", "in_channels": 16,
         "dim": 3840, "n_layers": 30, "n_refiner_layers": 2, "n_heads": 30, "n_kv_heads": 30,
         "cap_feat_dim": 2560, "axes_dims": [32, 48, 48], "axes_lens": [1536, 512, 512],
         "all_patch_size": [2], "all_f_patch_size": [1], "qk_norm": true, "norm_eps": 1e-5,
         "rope_theta": 256.0, "t_scale": 1000.0},
      """,
      16);

  private static final String PLAIN =
      """
      "_class_name": "AutoencoderKL\"\
      """;

  private static final String PATCHED =
      """
      "_class_name": "AutoencoderKLFlux2", "patch_size": [2, 2]\
      """;

  private static final String VAE =
      """
       "vae": {CLASS, "latent_channels": CHANNELS, "in_channels": 3,
         "out_channels": 3, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
         "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
           "DownEncoderBlock2D"],
         "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
           "UpDecoderBlock2D"],
         "norm_num_groups": 32}}
      """;

  private final String pipeline;
  private final int latentChannels;

  TransformerShapes(String pipeline, int latentChannels) {
    this.pipeline = pipeline;
    this.latentChannels = latentChannels;
  }

  /// The configurations of the parts, by the parts' names.
  JsonNode configs() {
    String vae =
        VAE.replace("CLASS", this == FLUX2_KLEIN ? PATCHED : PLAIN)
            .replace("CHANNELS", String.valueOf(latentChannels));
    try {
      return new ObjectMapper().readTree(pipeline + vae);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
