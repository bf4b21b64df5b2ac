package io.gatun.models.diffusion.schedulers;

import java.util.function.Supplier;

/// Strategic stochastic sampling of trajectory consistency distillation (Zheng et al. 2024,
/// arXiv:2402.19159, algorithm 3): to a time `s` on the way to the next, and up again by noise.
///
///     y = sqrt(a_s) image(x) + sqrt(1 - a_s) noise(x), at s = (1 - gamma) t'
///     x' = sqrt(a' / a_s) y + sqrt(1 - a' / a_s) * fresh noise
public final class TCDScheduler extends Scheduler {
  static final double GAMMA = 0.3;

  private final int originalSteps;
  private final double gamma;

  public TCDScheduler(SchedulerConfig config) {
    this(config, GAMMA);
  }

  /// @param gamma how stochastic it is, from 0 to 1
  public TCDScheduler(SchedulerConfig config, double gamma) {
    super(config, NoiseSchedule.of(config, "scaled_linear"));
    DDIMScheduler.refusePixelSpace(config);
    DDIMScheduler.refuseNoiseAtZeroSnr(config, prediction);
    originalSteps = LCMScheduler.originalSteps(config, schedule);
    this.gamma = gamma;
  }

  @Override
  int mostSteps() {
    return originalSteps;
  }

  @Override
  double[] start(int steps, int begin) {
    return LCMScheduler.timesteps(schedule, originalSteps, steps);
  }

  @Override
  public float[] sigmas() {
    return sigmasOf(schedule.alphaCumprod(0));
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    double a = schedule.alphaCumprod(timestep(index()));
    boolean last = index() == count() - 1;
    int next = last ? 0 : timestep(index() + 1);
    double s = schedule.alphaCumprod((int) Math.floor((1 - gamma) * next));
    double alpha = Math.sqrt(a);
    double sigma = Math.sqrt(1 - a);
    float[] image = prediction.image(alpha, sigma).of(sample, modelOutput);
    float[] direction = prediction.noise(alpha, sigma).of(sample, modelOutput);
    if (last || gamma == 0) {
      return Latents.mix(Math.sqrt(s), image, Math.sqrt(1 - s), direction);
    }
    double up = schedule.alphaCumprod(next) / s;
    double kept = Math.sqrt(up);
    return Latents.mix(
        kept * Math.sqrt(s),
        image,
        kept * Math.sqrt(1 - s),
        direction,
        Math.sqrt(1 - up),
        noise.get());
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return noised(image, noise, schedule.alphaCumprod(timestep(index())));
  }
}
