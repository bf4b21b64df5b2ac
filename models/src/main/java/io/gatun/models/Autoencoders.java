package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.diffusion.files.VaeFile;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.models.vae.AutoencoderTiny;
import io.gatun.tensor.ops.Ops;

/// The autoencoders of a pipeline: its own or another of its architecture, and a tiny one if there
/// is.
final class Autoencoders {
  private Autoencoders() {}

  /// Opens them.
  ///
  /// @param vaeFile another than the pipeline's; null for none
  /// @throws CheckpointException if it is not for the model's latents
  static LatentImages open(
      PipelineFiles files, VaeFile vaeFile, Ops ops, StableDiffusionOptions options) {
    boolean tiny = vaeFile != null && vaeFile.isTiny();
    boolean own = vaeFile == null || tiny;
    var keys = files.config("vae");
    var config = AutoencoderKLConfig.of(own ? keys : vaeFile.config(keys));
    var weights = own ? files.weights("vae") : vaeFile.weights(config.blockOutChannels().size());
    var vae = new AutoencoderKL(config, weights);
    return new LatentImages(vae, tiny ? tiny(vaeFile, config, options) : vae, ops, options.dtype());
  }

  private static AutoencoderTiny tiny(
      VaeFile vaeFile, AutoencoderKLConfig config, StableDiffusionOptions options) {
    var decoder = vaeFile.tinyDecoder();
    long channels = AutoencoderTiny.latentChannels(decoder);
    if (channels != config.latentChannels()
        || config.factor() != AutoencoderTiny.FACTOR
        || config.batchNormEps() > 0) {
      throw new CheckpointException(
          "%s decodes latents of %d channels to %d times their size; the model's have %d channels and %d times. Choose the tiny autoencoder of the model's kind: taesd for Stable Diffusion 1 and 2, taesdxl for XL"
              .formatted(
                  options.vae,
                  channels,
                  AutoencoderTiny.FACTOR,
                  config.latentChannels(),
                  config.factor()));
    }
    return new AutoencoderTiny(null, decoder);
  }
}
