package io.gatun.models.pipeline;

import io.gatun.models.unet.AddedConditions;
import io.gatun.models.unet.Conditioning;
import io.gatun.models.unet.ControlNetModel;
import io.gatun.models.unet.ControlResiduals;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;

/// A ControlNet and what is the same for it in all steps.
///
/// @param picture as the network sees it, for all images
record Steering(
    ControlNetModel net, SeenPictures.Control control, Conditioning conditioning, Tensor picture) {
  /// @throws IllegalArgumentException if the network is for another kind of model
  static Steering of(
      Functional f,
      ControlNetModel net,
      SeenPictures.Control control,
      LatentSize size,
      Tensor states,
      AddedConditions added) {
    int width = net.config().unet().crossAttentionDim().getFirst();
    if (width != states.dim(2)
        || net.config().unet().hasTextTime() != (added.textEmbeds() != null)
        || net.config().unet().inChannels() != size.channels()
        || net.config().factor() != size.factor()) {
      throw new IllegalArgumentException(
          "the ControlNet is made for latents of %d channels, %d pixels a side, and texts of %d numbers%s; this model's latents have %d channels, %d pixels, its texts %d numbers%s"
              .formatted(
                  net.config().unet().inChannels(),
                  net.config().factor(),
                  width,
                  net.config().unet().hasTextTime() ? " with SDXL's sizes" : "",
                  size.channels(),
                  size.factor(),
                  states.dim(2),
                  added.textEmbeds() == null ? "" : " with SDXL's sizes"));
    }
    int rows = Math.toIntExact(states.dim(0));
    Tensor pictures =
        f.ops()
            .empty(
                rows, (long) size.height() * size.factor(), (long) size.width() * size.factor(), 3);
    for (int row = 0; row < rows; row++) {
      UNetDenoiser.put(control.picture(), pictures, row);
    }
    return new Steering(net, control, net.condition(f, states, added), net.embed(f, pictures));
  }

  ControlResiduals residuals(Functional f, Tensor sample, double timestep) {
    return net.forward(f, sample, timestep, conditioning, picture, control.scale());
  }
}
