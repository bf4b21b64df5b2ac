package io.gatun.models.diffusion.schedulers;

import java.util.function.Supplier;

/// Multistep sampling of latent consistency models (Luo et al. 2023, arXiv:2310.04378, algorithm 3;
/// the boundary condition is that of section 4.1 and Song et al. 2023, arXiv:2303.01469, appendix
/// C).
///
///     f = cSkip x + cOut image(x);  x' = sqrt(a') f + sqrt(1 - a') * fresh noise
///     cSkip = 0.25 / (s^2 + 0.25);  cOut = s / sqrt(s^2 + 0.25);  s = timestep_scaling * t
public final class LCMScheduler extends Scheduler {
  private final int originalSteps;
  private final double scaling;
  private final double clip;

  public LCMScheduler(SchedulerConfig config) {
    super(config, NoiseSchedule.of(config, "scaled_linear"));
    DDIMScheduler.refusePixelSpace(config);
    DDIMScheduler.refuseNoiseAtZeroSnr(config, prediction);
    originalSteps = originalSteps(config, schedule);
    scaling = config.number("timestep_scaling", 10);
    clip = DDIMScheduler.clip(config, false);
  }

  /// The steps that a model was distilled at.
  static int originalSteps(SchedulerConfig config, NoiseSchedule schedule) {
    int steps = config.integer("original_inference_steps", 50);
    if (steps < 1 || steps > schedule.size()) {
      throw config.refused(
          "original_inference_steps",
          "need 1 to as many as the model's training steps, %d".formatted(schedule.size()));
    }
    return steps;
  }

  @Override
  int mostSteps() {
    return originalSteps;
  }

  @Override
  double[] start(int steps, int begin) {
    return timesteps(schedule, originalSteps, steps);
  }

  /// Some of the `original_inference_steps` that the model was distilled at.
  static double[] timesteps(NoiseSchedule schedule, int originalSteps, int steps) {
    int stride = schedule.size() / originalSteps;
    var timesteps = new double[steps];
    for (int i = 0; i < steps; i++) {
      int skipped = (int) (i * (originalSteps / (double) steps));
      timesteps[i] = (originalSteps - skipped) * stride - 1;
    }
    return timesteps;
  }

  @Override
  public float[] sigmas() {
    return sigmasOf(1);
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    int t = timestep(index());
    double a = schedule.alphaCumprod(t);
    float[] image = prediction.image(Math.sqrt(a), Math.sqrt(1 - a)).of(sample, modelOutput);
    if (clip < Double.POSITIVE_INFINITY) {
      image = Latents.clamp(image, clip);
    }
    double s = scaling * t;
    double skip = 0.25 / (s * s + 0.25);
    double out = s / Math.sqrt(s * s + 0.25);
    if (index() == count() - 1) {
      return Latents.mix(skip, sample, out, image);
    }
    double b = schedule.alphaCumprod(timestep(index() + 1));
    double rest = Math.sqrt(b);
    return Latents.mix(rest * skip, sample, rest * out, image, Math.sqrt(1 - b), noise.get());
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return noised(image, noise, schedule.alphaCumprod(timestep(index())));
  }
}
