package io.gatun.models.diffusion.schedulers;

import java.util.function.Supplier;

/// DPM-Solver++(2S) (Lu et al. 2022, arXiv:2211.01095, algorithm 1) with fresh noise after each
/// step: k-diffusion's `sample_dpmpp_2s_ancestral`. Its middle, halfway in log(sigma) to what the
/// noise leaves, is the step's end.
///
///     y = (m / sigma) x + (1 - m / sigma) image(x)
///     x' = (down / sigma) x + (1 - down / sigma) image(y) + up * noise
public final class DPMSolverTwoSAncestralScheduler extends TwoCallScheduler {
  public DPMSolverTwoSAncestralScheduler(SchedulerConfig config) {
    super(config);
  }

  @Override
  double middle(double from, double to) {
    return to; // sqrt(from * down), where down = to^2 / from
  }

  @Override
  float[] toEnd(
      float[] start,
      float[] startImage,
      float[] sample,
      float[] image,
      Sigmas at,
      Supplier<float[]> noise) {
    double down = at.to() * at.to() / at.from();
    double ratio = down / at.from();
    double up = EulerAncestralDiscreteScheduler.up(at.from(), at.to());
    return Latents.mix(ratio, start, 1 - ratio, image, up, noise.get());
  }
}
