package io.gatun.models.diffusion.files;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.WeightNames;

/// The pipelines whose single files Gatun knows, and the configurations that those files leave out.
public enum KnownPipeline {
  SD1(
      "Stable Diffusion 1",
      "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
      """
      {"model_index": {"_class_name": "StableDiffusionPipeline"},
       "unet": {"sample_size": 64, "in_channels": 4, "out_channels": 4,
         "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2,
         "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
           "CrossAttnDownBlock2D", "DownBlock2D"],
         "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
           "CrossAttnUpBlock2D"],
         "attention_head_dim": 8, "cross_attention_dim": 768, "norm_num_groups": 32},
       "text_encoder": {"vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072,
         "num_hidden_layers": 12, "num_attention_heads": 12, "max_position_embeddings": 77,
         "hidden_act": "quick_gelu", "projection_dim": 768, "eos_token_id": 49407},
      """),
  SD2(
      "Stable Diffusion 2",
      "cond_stage_model.model.token_embedding.weight",
      """
      {"model_index": {"_class_name": "StableDiffusionPipeline"},
       "unet": {"sample_size": 64, "in_channels": 4, "out_channels": 4,
         "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2,
         "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
           "CrossAttnDownBlock2D", "DownBlock2D"],
         "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
           "CrossAttnUpBlock2D"],
         "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
         "norm_num_groups": 32, "use_linear_projection": true},
       "text_encoder": {"vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096,
         "num_hidden_layers": 23, "num_attention_heads": 16, "max_position_embeddings": 77,
         "hidden_act": "gelu", "projection_dim": 1024, "eos_token_id": 49407},
      """),
  SDXL(
      "Stable Diffusion XL",
      "conditioner.embedders.1.model.token_embedding.weight",
      """
      {"model_index": {"_class_name": "StableDiffusionXLPipeline",
         "force_zeros_for_empty_prompt": true},
       "unet": {"sample_size": 128, "in_channels": 4, "out_channels": 4,
         "block_out_channels": [320, 640, 1280], "layers_per_block": 2,
         "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
         "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
         "attention_head_dim": [5, 10, 20], "transformer_layers_per_block": [1, 2, 10],
         "cross_attention_dim": 2048, "norm_num_groups": 32, "use_linear_projection": true,
         "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
         "projection_class_embeddings_input_dim": 2816},
       "text_encoder": {"vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072,
         "num_hidden_layers": 12, "num_attention_heads": 12, "max_position_embeddings": 77,
         "hidden_act": "quick_gelu", "projection_dim": 768, "eos_token_id": 49407},
       "text_encoder_2": {"vocab_size": 49408, "hidden_size": 1280, "intermediate_size": 5120,
         "num_hidden_layers": 32, "num_attention_heads": 20, "max_position_embeddings": 77,
         "hidden_act": "gelu", "projection_dim": 1280, "eos_token_id": 49407},
      """);

  /// What all kinds share but for the latents' scale.
  private static final String COMMON =
      """
       "vae": {"in_channels": 3, "out_channels": 3, "latent_channels": 4,
         "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
         "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
           "DownEncoderBlock2D"],
         "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
           "UpDecoderBlock2D"],
         "norm_num_groups": 32, "scaling_factor": SCALE},
       "scheduler": {"_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear",
         "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000,
         "timestep_spacing": "leading", "steps_offset": 1}}
      """;

  private static final String REFINER = "conditioner.embedders.0.model.token_embedding.weight";

  private final String title;
  private final String mark;
  private final String configs;

  KnownPipeline(String title, String mark, String configs) {
    this.title = title;
    this.mark = mark;
    this.configs = configs;
  }

  /// The kind of a checkpoint.
  ///
  /// @throws CheckpointException if it is none of these
  static KnownPipeline of(Checkpoint checkpoint) {
    var names = checkpoint.tensors().keySet();
    for (var kind : values()) {
      if (names.contains(kind.mark) && names.contains(LdmNames.CONV_IN)) {
        return kind;
      }
    }
    if (names.contains(REFINER)) {
      throw new CheckpointException(
          "%s is Stable Diffusion XL's refiner, which improves images that the base model made; Gatun runs the base model"
              .formatted(checkpoint.path()));
    }
    throw new CheckpointException(
        ("%s is no pipeline: need the tensors \"%s\" and \"%s\" (Stable Diffusion 1), \"%s\" (2) or"
             + " \"%s\" (XL). Name the diffusers directory if this is a part of one; list the file"
             + " with: gatun inspect %s")
            .formatted(
                checkpoint.path(),
                LdmNames.CONV_IN,
                SD1.mark,
                SD2.mark,
                SDXL.mark,
                checkpoint.path()));
  }

  String title() {
    return title;
  }

  /// The configurations of all parts, by the parts' names.
  public JsonNode configs() {
    try {
      return new ObjectMapper()
          .readTree(configs + COMMON.replace("SCALE", this == SDXL ? "0.13025" : "0.18215"));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Where the file keeps a part's tensors.
  WeightNames names(String part, JsonKeys config) {
    return switch (part) {
      case "unet" ->
          LdmNames.unet(
              config.texts("up_block_types"),
              config.count("layers_per_block"),
              LdmNames.UNET_PREFIX);
      case "vae" -> LdmNames.vae("first_stage_model.", config.counts("block_out_channels").size());
      case "text_encoder" ->
          switch (this) {
            case SD1 -> LdmNames.clip("cond_stage_model.transformer.");
            case SD2 -> LdmNames.openClip("cond_stage_model.model.");
            case SDXL -> LdmNames.clip("conditioner.embedders.0.transformer.");
          };
      case "text_encoder_2" -> LdmNames.openClip("conditioner.embedders.1.model.");
      default -> throw new IllegalArgumentException(part + " has no weights");
    };
  }
}
