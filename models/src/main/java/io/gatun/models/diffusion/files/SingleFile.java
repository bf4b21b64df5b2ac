package io.gatun.models.diffusion.files;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.schedulers.PredictionType;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.Weights;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/// All weights of a pipeline in one file, as CompVis and Stability AI publish them and people trade
/// them. It has no configurations: which pipeline it is shows from the names of its tensors.
final class SingleFile implements PipelineFiles {
  private static final String OWN_VAE = "first_stage_model.";

  /// What such files hold beside the network: its averages, tables that follow from the noise
  /// schedule, losses, marks of what it predicts, and of the text encoders what is not used here
  /// (positions, the last layer of Stable Diffusion 2's, images).
  private static final Pattern LEFTOVERS =
      Pattern.compile(
          "model_ema\\.|embedding_manager\\.|v_pred$|ztsnr$|first_stage_model\\.(loss|model_ema)\\."
              + "|(betas|alphas_cumprod(_prev)?|sqrt_\\w+|log_one_minus_\\w+|posterior_\\w+|lvlb_weights"
              + "|logvar|scale_factor|(denoiser\\.)?(log_)?sigmas)$"
              + "|(cond_stage_model|conditioner\\.embedders\\.[01])\\."
              + "((transformer\\.)?(text_model\\.embeddings\\.position_ids$|text_projection\\.|logit_scale$"
              + "|vision_model\\.|visual_projection\\.)|model\\.(logit_scale$|attn_mask$|visual\\."
              + "|text_projection$|transformer\\.resblocks\\.23\\.))");

  /// Of latents, and of the picture's.
  private static final int EDITS_CHANNELS = 8;

  private static final String GUIDANCE = "time_embedding.cond_proj.weight";

  private final Checkpoint checkpoint;
  private final UsedTensors tensors;
  private final KnownPipeline kind;
  private final JsonKeys configs;

  /// @param checkpoint which is closed with it
  SingleFile(Checkpoint checkpoint, PredictionType prediction) {
    this.checkpoint = checkpoint;
    tensors = new UsedTensors(checkpoint);
    kind = KnownPipeline.of(checkpoint);
    configs = new JsonKeys(kind.configs(), path().toString());
    var convIn = checkpoint.tensor(LdmNames.CONV_IN);
    if (convIn.shape().rank() == 4) { // 9 channels where a mask comes with the latents
      object("unet").put("in_channels", convIn.dim(1));
      if (kind == KnownPipeline.SD1 && convIn.dim(1) == EDITS_CHANNELS) {
        object("model_index").put("_class_name", "StableDiffusionInstructPix2PixPipeline");
      }
    }
    putUNet(object("unet"));
    var predicts = prediction != null ? prediction : SingleFilePrediction.of(checkpoint, kind);
    object("scheduler").put("prediction_type", predicts.toString());
    if (SingleFilePrediction.hasZeroSnr(checkpoint)) {
      object("scheduler").put("rescale_betas_zero_snr", true);
    }
    if (kind == KnownPipeline.SD2 && predicts == PredictionType.V_PREDICTION) {
      object("unet").put("sample_size", 96);
    }
  }

  /// What of the UNet shows from its tensors and is not the same in all of its kind: SSD-1B and
  /// Vega are XL with fewer layers; consistency models are told the guidance.
  private void putUNet(ObjectNode unet) {
    int layers = 0;
    while (tensors.has(LdmNames.residualBlock(layers + 1))) {
      layers++;
    }
    if (layers == 0) {
      return; // what is missing is said when it is asked for
    }
    unet.put("layers_per_block", layers);
    int blocks = unet.path("block_out_channels").size();
    var shown = new UNetTensors(checkpoint, LdmNames.unet(List.of(), layers, LdmNames.UNET_PREFIX));
    shown.putDown(unet, blocks, layers);
    shown.putUp(unet, blocks, layers);
    if (shown.has(GUIDANCE)) {
      unet.put("time_cond_proj_dim", shown.dim(GUIDANCE, 1));
      object("scheduler").put("_class_name", "LCMScheduler");
    }
  }

  private ObjectNode object(String part) {
    return (ObjectNode) configs.json().path(part);
  }

  @Override
  public void requireAllUsed(boolean otherVae) {
    tensors.requireAllUsed(
        otherVae ? Pattern.compile(LEFTOVERS + "|" + Pattern.quote(OWN_VAE)) : LEFTOVERS);
  }

  @Override
  public void checkNumbers(String what, float[] results) {
    NotFinite.check(what, results, checkpoint);
  }

  @Override
  public Path path() {
    return checkpoint.path();
  }

  @Override
  public JsonKeys index() {
    return config("model_index");
  }

  @Override
  public boolean has(String part) {
    return configs.json().has(part);
  }

  @Override
  public JsonKeys config(String part) {
    JsonNode config = configs.json().path(part);
    if (config.isMissingNode()) {
      throw new CheckpointException(
          "%s is a %s checkpoint, which has no %s".formatted(path(), kind.title(), part));
    }
    return new JsonKeys(config, "%s (%s, %s)".formatted(path(), kind.title(), part));
  }

  @Override
  public Weights weights(String part) {
    return Weights.of(tensors, kind.names(part, config(part)));
  }

  @Override
  public Checkpoint checkpoint(String part) {
    throw new CheckpointException(path() + " has its parts together in one file");
  }

  @Override
  public Path folder(String part) {
    return null;
  }

  @Override
  public void unload() {
    checkpoint.unload();
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
