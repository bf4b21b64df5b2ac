package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.unet.UNet2DConditionConfig;
import io.gatun.models.unet.UNet2DConditionModel;
import java.util.Set;

/// Stable Diffusion 1, 2 and XL (Rombach et al. 2022, arXiv:2112.10752; Podell et al. 2023,
/// arXiv:2307.01952), and what was distilled from them: a UNet, and one CLIP text encoder or two.
final class UNetPipeline implements Pipeline {
  static final String CLASS_NAME = "StableDiffusionPipeline";

  static final Set<String> CLASS_NAMES =
      Set.of(
          CLASS_NAME,
          "StableDiffusionImg2ImgPipeline",
          "StableDiffusionXLPipeline",
          "StableDiffusionXLImg2ImgPipeline",
          "LatentConsistencyModelPipeline",
          "LatentConsistencyModelImg2ImgPipeline");

  private static final int SAMPLE_SIZE = 64;

  private final ClipConditions text;
  private final UNet2DConditionConfig config;
  private final UNetDenoiser denoiser;
  private final boolean zeros;

  UNetPipeline(PipelineParts parts) {
    text = new ClipConditions(parts);
    var keys = parts.files().config("unet");
    config = UNet2DConditionConfig.of(keys);
    var f = parts.network();
    denoiser =
        new UNetDenoiser(new UNet2DConditionModel(config, parts.weights().apply("unet", f), f));
    if (config.inChannels() != parts.latentChannels() || config.numClassEmbeds() > 0) {
      throw new CheckpointException(
          "%s: \"in_channels\" is %d and \"num_class_embeds\" %d; the autoencoder's latents have %d channels: Gatun runs pipelines whose UNet reads just these, not those made for inpainting or upscaling"
              .formatted(
                  keys.where(),
                  config.inChannels(),
                  config.numClassEmbeds(),
                  parts.latentChannels()));
    }
    zeros =
        config.hasTextTime() && parts.files().index().flag("force_zeros_for_empty_prompt", true);
  }

  @Override
  public TextConditions text() {
    return text;
  }

  @Override
  public Denoiser denoiser() {
    return denoiser;
  }

  @Override
  public Defaults defaults() {
    return new Defaults(25, 7.5);
  }

  @Override
  public int sampleSize() {
    return config.sampleSize() == 0 ? SAMPLE_SIZE : config.sampleSize();
  }

  /// One that was distilled to guide by itself is told the guidance.
  @Override
  public boolean guides(double guidance) {
    return guidance > 1 && config.timeCondProjDim() == 0;
  }

  @Override
  public boolean zerosForNoNegative() {
    return zeros;
  }
}
