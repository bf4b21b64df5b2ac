package io.gatun.models.diffusion.schedulers;

import io.gatun.models.diffusion.schedulers.SigmaScheduler.Curve;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/// Euler's method, or Heun's, along a rectified flow (Liu et al. 2022, arXiv:2209.03003; Esser et al. 2024,
/// arXiv:2403.03206), in which a sample is `(1 - sigma) * image + sigma * noise` and the network
/// predicts the velocity `noise - image`.
///
///     x' = x + (sigma' - sigma) v
///
/// Times are shifted towards the noise, the more the larger the image is where the shift is dynamic.
public final class FlowMatchEulerDiscreteScheduler extends Scheduler {
  private final int trainingSteps;
  private final double shift;
  private final boolean dynamic;
  private final boolean exponential;
  private final double shiftTerminal;
  private final Curve curve;
  private final boolean heun;
  private FlowTimes times = new FlowTimes(0, false, Double.NaN);
  private float[] sigmas = {};
  private float[] start;
  private float[] velocity;

  public FlowMatchEulerDiscreteScheduler(SchedulerConfig config) {
    this(config, false);
  }

  /// @param heun whether each step but the last asks the network again at its end, and takes the
  ///   mean of both velocities
  public FlowMatchEulerDiscreteScheduler(SchedulerConfig config, boolean heun) {
    super(config, null);
    this.heun = heun;
    config.refuse(
        "it goes from noise to images, without new noise on the way",
        "invert_sigmas",
        "stochastic_sampling");
    trainingSteps = config.integer("num_train_timesteps", 1000);
    shift = config.number("shift", 1);
    dynamic = config.flag("use_dynamic_shifting", false);
    exponential =
        config
            .oneOf("time_shift_type", "exponential", List.of("exponential", "linear"))
            .equals("exponential");
    shiftTerminal = config.optional("shift_terminal");
    curve = SigmaScheduler.curve(config, false);
  }

  @Override
  public void flow(FlowTimes newTimes) {
    times = newTimes;
  }

  @Override
  public boolean isFlow() {
    return true;
  }

  @Override
  int mostSteps() {
    return trainingSteps;
  }

  @Override
  double[] start(int steps, int begin) {
    double[] t = new double[steps];
    double first = times.wholeSteps() || dynamic ? 1 : shifted(1);
    double last = times.wholeSteps() ? 1.0 / steps : dynamic ? least() : shifted(least());
    for (int i = 0; i < steps; i++) {
      double share = steps == 1 ? 0 : i / (steps - 1.0);
      t[i] =
          dynamic
              ? dynamic(first + share * (last - first))
              : shifted(first + share * (last - first));
    }
    if (!Double.isNaN(shiftTerminal) && shiftTerminal != 0) {
      double factor = (1 - t[steps - 1]) / (1 - shiftTerminal);
      t = Arrays.stream(t).map(s -> 1 - (1 - s) / factor).toArray();
    }
    if (curve != Curve.TRAINED) {
      t = SigmaScheduler.along(curve, t[0], t[steps - 1], steps);
    }
    t = heun ? twice(t) : t;
    sigmas = new float[t.length + 1];
    for (int i = 0; i < t.length; i++) {
      sigmas[i] = (float) t[i];
    }
    return Arrays.stream(t).map(s -> s * trainingSteps).toArray();
  }

  /// Each but the first as the end of a step, too.
  private static double[] twice(double[] t) {
    var out = new double[2 * t.length - 1];
    for (int i = 0; i < out.length; i++) {
      out[i] = t[(i + 1) / 2];
    }
    return out;
  }

  @Override
  int firstCall(int step) {
    return heun ? 2 * step : step;
  }

  boolean isHeun() {
    return heun;
  }

  @Override
  boolean takes(Spacing spacing) {
    return spacing.isOfFlows();
  }

  /// The time of the first training step.
  private double least() {
    return 1.0 / trainingSteps;
  }

  private double shifted(double t) {
    return shift * t / (1 + (shift - 1) * t);
  }

  /// Shifted by mu, which grows with the image's tokens.
  private double dynamic(double t) {
    double mu = Double.isNaN(times.mu()) ? mu() : times.mu();
    double factor = exponential ? Math.exp(mu) : mu;
    return factor / (factor + (1 / t - 1));
  }

  private double mu() {
    double least = config.integer("base_image_seq_len", 256);
    double most = config.integer("max_image_seq_len", 4096);
    double from = config.number("base_shift", 0.5);
    double to = config.number("max_shift", 1.15);
    return from + (times.imageTokens() - least) * (to - from) / (most - least);
  }

  /// The share of noise at each of the timesteps, and last that of the result.
  @Override
  public float[] sigmas() {
    return Arrays.copyOfRange(sigmas, begin(), sigmas.length);
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    int i = index();
    if (heun && i % 2 == 1) {
      double half = (sigmas[i] - sigmas[i - 1]) / 2.0;
      return Latents.mix(1, start, half, velocity, half, modelOutput);
    }
    start = sample;
    velocity = modelOutput;
    return Latents.mix(1, sample, sigmas[i + 1] - sigmas[i], modelOutput);
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    double sigma = sigmas[index()];
    return Latents.mix(1 - sigma, image, sigma, noise);
  }
}
