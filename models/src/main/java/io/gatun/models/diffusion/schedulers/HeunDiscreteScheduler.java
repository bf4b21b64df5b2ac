package io.gatun.models.diffusion.schedulers;

import java.util.function.Supplier;

/// Heun's method along the probability flow (Karras et al. 2022, arXiv:2206.00364, algorithm 1
/// without its noise).
///
///     d = (x - image(x)) / sigma;  y = x + (sigma' - sigma) d;  d' = (y - image(y)) / sigma'
///     x' = x + (sigma' - sigma) (d + d') / 2
public final class HeunDiscreteScheduler extends TwoCallScheduler {
  public HeunDiscreteScheduler(SchedulerConfig config) {
    super(config);
  }

  @Override
  double middle(double from, double to) {
    return to;
  }

  @Override
  float[] toEnd(
      float[] start,
      float[] startImage,
      float[] sample,
      float[] image,
      Sigmas at,
      Supplier<float[]> noise) {
    double half = (at.middle() - at.from()) / 2;
    float[] first = Latents.mix(1 + half / at.from(), start, -half / at.from(), startImage);
    return Latents.mix(1, first, half / at.middle(), sample, -half / at.middle(), image);
  }
}
