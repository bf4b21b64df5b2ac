package io.gatun.models.pipeline;

import io.gatun.models.diffusion.schedulers.FlowTimes;

/// A text-to-image pipeline but for its autoencoder and scheduler.
public interface Pipeline {
  /// What its makers recommend.
  ///
  /// @param steps from noise to the image
  /// @param guidance how strongly the prompt guides
  record Defaults(int steps, double guidance) {}

  TextConditions text();

  Denoiser denoiser();

  Defaults defaults();

  /// The latents a side of the images that it was trained on.
  int sampleSize();

  /// What latents' rows and columns must be multiples of.
  default int multiple() {
    return 1;
  }

  /// Whether the network is asked for a negative prompt, too, at that guidance.
  default boolean guides(double guidance) {
    return guidance > 1;
  }

  /// How predictions become one at that guidance.
  ///
  /// @param image how strongly a picture guides that is to be edited
  default Guidance guidance(double scale, double image) {
    return Guidance.classifierFree(scale);
  }

  /// What pictures are to the network.
  default PictureUse pictureUse() {
    return PictureUse.START;
  }

  /// Whether a negative prompt changes anything at any guidance.
  default boolean takesNegative() {
    return true;
  }

  /// The times at which a flow is followed, or null for a network that predicts no velocity of one.
  default FlowTimes flowTimes(LatentSize size, int steps) {
    return null;
  }

  /// About how many numbers the workspace holds during a step.
  ///
  /// @param guidance how strongly the prompt guides
  long workNumbers(LatentSize size, double guidance);

  /// Whether no negative prompt is another thing than an empty one: zeros.
  default boolean zerosForNoNegative() {
    return false;
  }
}
