package io.gatun.models.diffusion.schedulers;

import io.gatun.loaders.CheckpointException;
import java.util.function.Supplier;

/// Denoising diffusion implicit models (Song et al. 2020, arXiv:2010.02502, equations 12 and 16).
///
///     s = eta sqrt((1 - a') / (1 - a)) sqrt(1 - a / a')
///     x' = sqrt(a') image(x) + sqrt(1 - a' - s^2) noise(x) + s * fresh noise
///
/// with alphaBar `a` of this timestep and `a'` of the one that lies a whole step before it.
public final class DDIMScheduler extends Scheduler {
  private final TimestepSpacing spacing;
  private final double eta;
  private final double clip;
  private final double finalAlphaCumprod;
  private int stride;

  /// The deterministic walk.
  public DDIMScheduler(SchedulerConfig config) {
    this(config, 0);
  }

  /// A walk with a share `eta` of DDPM's noise, from 0 to 1.
  public DDIMScheduler(SchedulerConfig config, double eta) {
    super(config, NoiseSchedule.of(config));
    refusePixelSpace(config);
    refuseNoiseAtZeroSnr(config, prediction);
    spacing = config.choice("timestep_spacing", TimestepSpacing.LEADING);
    clip = clip(config, true);
    finalAlphaCumprod = finalAlphaCumprod(config, schedule, true);
    this.eta = eta;
  }

  static void refusePixelSpace(SchedulerConfig config) {
    config.refuse("dynamic thresholding is for models of pixels, not of latents", "thresholding");
  }

  static void refuseNoiseAtZeroSnr(SchedulerConfig config, PredictionType prediction) {
    if (prediction == PredictionType.EPSILON && config.flag("rescale_betas_zero_snr", false)) {
      throw new CheckpointException(
          "%s: rescale_betas_zero_snr with prediction_type epsilon: where nothing of the image is left"
                  .formatted(config.where())
              + " it cannot be found from the noise. Such models have prediction_type"
              + " v_prediction");
    }
  }

  /// What the image is clipped to, infinite if it is not.
  static double clip(SchedulerConfig config, boolean absent) {
    return config.flag("clip_sample", absent)
        ? config.number("clip_sample_range", 1)
        : Double.POSITIVE_INFINITY;
  }

  /// alphaBar of what lies before the first timestep.
  static double finalAlphaCumprod(SchedulerConfig config, NoiseSchedule schedule, boolean absent) {
    return config.flag("set_alpha_to_one", absent) ? 1 : schedule.alphaCumprod(0);
  }

  @Override
  double[] start(int steps, int begin) {
    stride = schedule.size() / steps;
    return rounded(spacing.timesteps(schedule.size(), steps, stepsOffset));
  }

  @Override
  boolean takes(Spacing other) {
    return other.isOfTimesteps();
  }

  @Override
  public float[] sigmas() {
    return sigmasOf(finalAlphaCumprod);
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    int t = timestep(index());
    int previous = t - stride;
    double a = schedule.alphaCumprod(t);
    double b = previous >= 0 ? schedule.alphaCumprod(previous) : finalAlphaCumprod;
    double alpha = Math.sqrt(a);
    double sigma = Math.sqrt(1 - a);
    float[] image = prediction.image(alpha, sigma).of(sample, modelOutput);
    float[] direction = prediction.noise(alpha, sigma).of(sample, modelOutput);
    if (clip < Double.POSITIVE_INFINITY) {
      image = Latents.clamp(image, clip);
    }
    double s = eta * Math.sqrt((1 - b) / (1 - a)) * Math.sqrt(1 - a / b);
    double rest = Math.sqrt(1 - b - s * s);
    return s == 0
        ? Latents.mix(Math.sqrt(b), image, rest, direction)
        : Latents.mix(Math.sqrt(b), image, rest, direction, s, noise.get());
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return noised(image, noise, schedule.alphaCumprod(timestep(index())));
  }
}
