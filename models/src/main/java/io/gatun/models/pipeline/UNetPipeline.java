package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.unet.UNet2DConditionConfig;
import io.gatun.models.unet.UNet2DConditionModel;
import java.util.Set;

/// Stable Diffusion 1, 2 and XL (Rombach et al. 2022, arXiv:2112.10752; Podell et al. 2023,
/// arXiv:2307.01952), and what was distilled from them: a UNet, and one CLIP text encoder or two.
final class UNetPipeline implements Pipeline {
  static final String CLASS_NAME = "StableDiffusionPipeline";

  private static final String EDITS = "StableDiffusionInstructPix2PixPipeline";

  static final Set<String> CLASS_NAMES =
      Set.of(
          CLASS_NAME,
          "StableDiffusionImg2ImgPipeline",
          "StableDiffusionXLPipeline",
          "StableDiffusionInpaintPipeline",
          "StableDiffusionControlNetPipeline",
          "StableDiffusionControlNetImg2ImgPipeline",
          "StableDiffusionControlNetInpaintPipeline",
          EDITS,
          "StableDiffusionXLImg2ImgPipeline",
          "StableDiffusionXLInpaintPipeline",
          "StableDiffusionXLControlNetPipeline",
          "StableDiffusionXLControlNetImg2ImgPipeline",
          "LatentConsistencyModelPipeline",
          "LatentConsistencyModelImg2ImgPipeline");

  private static final int SAMPLE_SIZE = 64;

  private final ClipConditions text;
  private final UNet2DConditionConfig config;
  private final UNetDenoiser denoiser;
  private final boolean zeros;
  private final PictureUse use;

  UNetPipeline(PipelineParts parts) {
    text = new ClipConditions(parts);
    var keys = parts.files().config("unet");
    config = UNet2DConditionConfig.of(keys);
    use = use(parts.latentChannels(), parts.files().index().text("_class_name", CLASS_NAME));
    if (use == null || config.numClassEmbeds() > 0) {
      throw new CheckpointException(
          "%s: \"in_channels\" is %d and \"num_class_embeds\" %d; the autoencoder's latents have %d channels: Gatun runs pipelines whose UNet reads these, also with a mask and a picture (inpainting) or with a picture (InstructPix2Pix), not those made for upscaling"
              .formatted(
                  keys.where(),
                  config.inChannels(),
                  config.numClassEmbeds(),
                  parts.latentChannels()));
    }
    var unet = new UNet2DConditionModel(config, parts.weights().apply("unet", parts.network()));
    denoiser = new UNetDenoiser(unet, parts.controlNets(), use == PictureUse.EDIT);
    zeros =
        config.hasTextTime() && parts.files().index().flag("force_zeros_for_empty_prompt", true);
  }

  /// What the UNet's channels are for; null if that is not known.
  private PictureUse use(int latentChannels, String className) {
    int more = config.inChannels() - latentChannels;
    if (className.equals(EDITS)) {
      return more == latentChannels ? PictureUse.EDIT : null;
    }
    return more == 0 ? PictureUse.START : more == latentChannels + 1 ? PictureUse.INPAINT : null;
  }

  @Override
  public PictureUse pictureUse() {
    return use;
  }

  @Override
  public Guidance guidance(double scale, double image) {
    return use == PictureUse.EDIT ? Guidance.ofEdits(scale, image) : Guidance.classifierFree(scale);
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

  /// All conditions' images at once: about 40 times what the first level has, of which what it
  /// keeps for the way up is 6; half as much for each ControlNet.
  @Override
  public long workNumbers(LatentSize size, double guidance) {
    long rows = (long) size.batch() * (guides(guidance) ? use == PictureUse.EDIT ? 3 : 2 : 1);
    long level = rows * size.height() * size.width() * config.blockOutChannels().getFirst();
    long pictures = 0;
    for (var net : denoiser.controlNets()) {
      int channels = 3 + 2 * net.config().conditioningEmbeddingOutChannels().getFirst();
      pictures += 20 * level + rows * size.pixels() * channels;
    }
    return 40 * level + pictures;
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
