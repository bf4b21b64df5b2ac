package io.gatun.models;

import io.gatun.models.pipeline.LatentSize;
import io.gatun.models.pipeline.Pipeline;
import io.gatun.tensor.DType;

/// Whether images fit into the memory that was free when their model was loaded, beside its files.
///
/// The network and the autoencoder work one after the other, and the packed weights of the one are
/// released before the other begins, unless they are kept.
///
/// @param model what the files take
/// @param keeps whether packed weights are kept
/// @param dtype of the network's activations
record ImageFit(
    Fit model, boolean keeps, DType.Plain dtype, Pipeline pipeline, LatentImages images) {
  /// What it takes that no tensor shows: rests of slabs of the workspace, kernels' own buffers.
  private static final long SLACK = 32L << 20;

  /// Squares of latents that are decoded at once where that is asked for.
  private static final int TILE = 64;

  private static final int[] SIDES = {256, 384, 512, 640, 768, 1024, 1280, 1536, 2048, 3072, 4096};

  /// Refuses images that do not fit.
  ///
  /// @throws DoesNotFitException with what would fit
  void require(ImagineOptions o, LatentSize size) {
    long network = network(size, o.guidance);
    long decoder = images.workBytes(size, o.vaeTile);
    if (needed(size, o.guidance, o.vaeTile) <= model.free()) {
      return;
    }
    int width = size.width() * size.factor();
    int height = size.height() * size.factor();
    throw new DoesNotFitException(
        "%s: %s of %d x %d does not fit into memory: %s of weights, %s for the program and packed weights, %s for a step and then %s to decode make %s, and %s are free. %s"
            .formatted(
                model.model(),
                size.batch() == 1 ? "an image" : "a batch of " + size.batch() + " images",
                width,
                height,
                Fit.size(model.weights()),
                Fit.size(model.work()),
                Fit.size(network),
                Fit.size(decoder),
                Fit.size(needed(size, o.guidance, o.vaeTile)),
                Fit.size(model.free()),
                remedy(o, size)));
  }

  private String remedy(ImagineOptions o, LatentSize size) {
    if (o.vaeTile == 0 && needed(size, o.guidance, TILE) <= model.free()) {
      return "What fits is the same decoded in tiles: --vae-tiling (in Java o.vaeTile(64))";
    }
    if (size.batch() > 1) {
      return "Make the images one after the other";
    }
    int most = 0;
    for (int side : SIDES) {
      int latents = side / size.factor();
      var square = new LatentSize(1, latents, latents, size.channels(), size.factor());
      boolean smaller = latents * latents < size.height() * size.width();
      if (smaller && needed(square, o.guidance, TILE) <= model.free()) {
        most = side;
      }
    }
    return most == 0
        ? "Choose a smaller model, or close other programs"
        : "What fits is %d x %d with --vae-tiling".formatted(most, most);
  }

  /// About how many bytes the workspace holds during a step.
  long network(LatentSize size, double guidance) {
    return SLACK + pipeline.workNumbers(size, guidance) * dtype.blockBytes();
  }

  private long needed(LatentSize size, double guidance, int tile) {
    long decoding = SLACK + images.workBytes(size, tile) + (keeps ? model.packing() : 0);
    return model.weights()
        + model.work()
        - model.packing()
        + Math.max(model.packing() + network(size, guidance), decoding);
  }
}
