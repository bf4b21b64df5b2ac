package io.gatun.models.diffusion.schedulers;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/// Euler's method along the probability flow (Karras et al. 2022, "Elucidating the Design Space of
/// Diffusion-Based Generative Models", arXiv:2206.00364, algorithm 1 without the second order
/// correction; equation 4).
///
///     d = (x - image(x)) / sigma;  x' = x + (sigma' - sigma) d
public final class EulerDiscreteScheduler extends SigmaScheduler {
  private final boolean logLinear;
  private final boolean continuous;
  private final double sigmaMin;
  private final double sigmaMax;
  private final boolean endsAtZero;

  public EulerDiscreteScheduler(SchedulerConfig config) {
    super(config, curve(config, false));
    logLinear =
        config
            .oneOf("interpolation_type", "linear", List.of("linear", "log_linear"))
            .equals("log_linear");
    continuous =
        config
                .oneOf("timestep_type", "discrete", List.of("discrete", "continuous"))
                .equals("continuous")
            && prediction == PredictionType.V_PREDICTION;
    sigmaMin = config.optional("sigma_min");
    sigmaMax = config.optional("sigma_max");
    endsAtZero = endsAtZero(config);
  }

  @Override
  Walk walk(int steps) {
    double[] timesteps = spacing.timesteps(schedule.size(), steps, stepsOffset);
    double last = endsAtZero ? 0 : leastSigma();
    double[] sigmas;
    if (logLinear) {
      // The reference makes one sigma more than there are steps, and so ends at the least.
      sigmas = along(Curve.EXPONENTIAL, greatestSigma(), leastSigma(), steps + 1);
      last = curve == Curve.TRAINED ? leastSigma() : last;
    } else {
      sigmas = trainedSigmas(timesteps);
    }
    if (curve != Curve.TRAINED) {
      double max = Double.isNaN(sigmaMax) ? sigmas[0] : sigmaMax;
      double min = Double.isNaN(sigmaMin) ? sigmas[sigmas.length - 1] : sigmaMin;
      sigmas = along(curve, max, min, steps);
      timesteps = timestepsOf(sigmas);
    }
    return new Walk(timesteps, Arrays.copyOf(sigmas, steps), last);
  }

  @Override
  Walk calls(Walk walk) {
    return continuous
        ? new Walk(
            Arrays.stream(walk.sigmas()).map(sigma -> 0.25 * Math.log(sigma)).toArray(),
            walk.sigmas(),
            walk.last())
        : walk;
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
    // x' = (sigma' / sigma) x + (1 - sigma' / sigma) image
    double ratio = sigma(index() + 1) / sigma(index());
    return Latents.mix(ratio, sample, 1 - ratio, veImage(modelOutput, sample));
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return Latents.mix(1, image, sigma(index()), noise);
  }
}
