package io.gatun.models.diffusion.schedulers;

import java.util.function.Supplier;

/// Euler's method down to less noise than the next step has, and fresh noise for the rest
/// (k-diffusion's `sample_euler_ancestral`; the variances are those of Song et al. 2020,
/// arXiv:2011.13456, appendix F, as in DDPM).
///
///     up = sqrt(sigma'^2 (sigma^2 - sigma'^2) / sigma^2);  down = sqrt(sigma'^2 - up^2)
///     x' = x + (down - sigma) (x - image(x)) / sigma + up * noise
public final class EulerAncestralDiscreteScheduler extends SigmaScheduler {
  public EulerAncestralDiscreteScheduler(SchedulerConfig config) {
    super(config, Curve.TRAINED);
  }

  @Override
  Walk walk(int steps) {
    double[] timesteps = spacing.timesteps(schedule.size(), steps, stepsOffset);
    return new Walk(timesteps, trainedSigmas(timesteps), 0);
  }

  /// The deviation of the noise that is added on the way between two sigmas.
  static double up(double from, double to) {
    return to * Math.sqrt((from * from - to * to) / (from * from));
  }

  @Override
  public double initNoiseSigma() {
    return veInitNoiseSigma();
  }

  @Override
  public float[] scaleModelInput(float[] sample) {
    return Latents.scale(alpha(index()), sample);
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    double from = sigma(index());
    double to = sigma(index() + 1);
    double up = up(from, to);
    double down = to * to / from;
    double ratio = down / from;
    float[] image = veImage(modelOutput, sample);
    return up == 0
        ? Latents.mix(ratio, sample, 1 - ratio, image)
        : Latents.mix(ratio, sample, 1 - ratio, image, up, noise.get());
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return Latents.mix(1, image, sigma(index()), noise);
  }
}
