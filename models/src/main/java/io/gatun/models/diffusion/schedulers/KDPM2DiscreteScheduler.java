package io.gatun.models.diffusion.schedulers;

import java.util.function.Supplier;

/// The midpoint method along the probability flow, its middle in log(sigma) (Karras et al. 2022,
/// arXiv:2206.00364, in the manner of Lu et al. 2022, arXiv:2206.00927, algorithm 1: k-diffusion's
/// `sample_dpm_2`), and with fresh noise `sample_dpm_2_ancestral`.
///
///     y = x + (m - sigma) (x - image(x)) / sigma;  x' = x + (down - sigma) (y - image(y)) / m
///     x' += up * noise
public final class KDPM2DiscreteScheduler extends TwoCallScheduler {
  private final boolean ancestral;

  /// @param ancestral whether it adds noise
  public KDPM2DiscreteScheduler(SchedulerConfig config, boolean ancestral) {
    super(config);
    this.ancestral = ancestral;
  }

  boolean isAncestral() {
    return ancestral;
  }

  @Override
  boolean wholeTimesteps() {
    return true;
  }

  @Override
  double middle(double from, double to) {
    return Math.sqrt(from * (ancestral ? to * to / from : to));
  }

  @Override
  float[] toEnd(
      float[] start,
      float[] startImage,
      float[] sample,
      float[] image,
      Sigmas at,
      Supplier<float[]> noise) {
    double down = ancestral ? at.to() * at.to() / at.from() : at.to();
    double slope = (down - at.from()) / at.middle();
    float[] next = Latents.mix(1, start, slope, sample, -slope, image);
    return ancestral
        ? Latents.mix(1, next, EulerAncestralDiscreteScheduler.up(at.from(), at.to()), noise.get())
        : next;
  }
}
