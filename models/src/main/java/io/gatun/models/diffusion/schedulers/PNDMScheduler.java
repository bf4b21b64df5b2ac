package io.gatun.models.diffusion.schedulers;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Supplier;

/// Pseudo linear multistep: Adams-Bashforth in the network's outputs, each step taken by DDIM's
/// transfer (Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds",
/// arXiv:2202.09778, equations 9 and 12).
///
///     e = (55 e1 - 59 e2 + 37 e3 - 9 e4) / 24, of lower order while there are fewer outputs
///     x' = sqrt(a'/a) x - (a' - a) e / (a sqrt(1 - a') + sqrt(a (1 - a) a'))
///
/// The first step is taken twice, the second time with the mean of the outputs at both its ends, in
/// place of the Runge-Kutta steps of the paper: there is one timestep more than steps.
public final class PNDMScheduler extends Scheduler {
  /// The Adams-Bashforth weights of the latest output and those before it.
  private static final double[][] WEIGHTS = {
    {1},
    {3 / 2., -1 / 2.},
    {23 / 12., -16 / 12., 5 / 12.},
    {55 / 24., -59 / 24., 37 / 24., -9 / 24.}
  };

  private final TimestepSpacing spacing;
  private final double finalAlphaCumprod;
  private final Deque<float[]> outputs = new ArrayDeque<>();
  private int stride;
  private float[] first;

  public PNDMScheduler(SchedulerConfig config) {
    super(config, NoiseSchedule.of(config));
    if (!config.flag("skip_prk_steps", false)) {
      throw config.refused(
          "skip_prk_steps",
          "Stable Diffusion leaves out the Runge-Kutta steps, which take four outputs each. Set it"
              + " to true");
    }
    if (prediction == PredictionType.SAMPLE) {
      throw config.refused("prediction_type", "it needs epsilon or v_prediction");
    }
    config.refuse("its transfer divides by the image's share", "rescale_betas_zero_snr");
    spacing = config.choice("timestep_spacing", TimestepSpacing.LEADING);
    finalAlphaCumprod = DDIMScheduler.finalAlphaCumprod(config, schedule, false);
  }

  @Override
  double[] start(int steps, int begin) {
    stride = schedule.size() / steps;
    outputs.clear();
    first = null;
    double[] once = rounded(spacing.timesteps(schedule.size(), steps, stepsOffset));
    if (begin == steps - 1) {
      return once; // a single step has no second end to ask at
    }
    var timesteps = new double[steps + 1];
    for (int i = 0; i <= steps; i++) {
      timesteps[i] = once[i <= begin + 1 ? i : i - 1];
    }
    return timesteps;
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
    if (index() == begin() + 1) { // the first step again
      float[] mean = Latents.mix(0.5, modelOutput, 0.5, outputs.getFirst());
      return transfer(first, mean, t + stride, t);
    }
    if (index() == begin()) {
      first = sample;
    }
    outputs.addFirst(modelOutput);
    return transfer(sample, mixed(outputs), t, t - stride);
  }

  /// Adams-Bashforth's mixture of outputs, the latest first, of which the oldest goes if there are
  /// too many.
  static float[] mixed(Deque<float[]> outputs) {
    if (outputs.size() > WEIGHTS.length) {
      outputs.removeLast();
    }
    double[] weights = WEIGHTS[outputs.size() - 1];
    float[] output = new float[outputs.getFirst().length];
    int i = 0;
    for (float[] each : outputs) {
      output = Latents.mix(1, output, weights[i++], each);
    }
    return output;
  }

  /// Equation 9, from timestep `t` to `next`.
  private float[] transfer(float[] sample, float[] output, int t, int next) {
    double a = schedule.alphaCumprod(t);
    double b = next >= 0 ? schedule.alphaCumprod(next) : finalAlphaCumprod;
    float[] noise = prediction.noise(Math.sqrt(a), Math.sqrt(1 - a)).of(sample, output);
    double denominator = a * Math.sqrt(1 - b) + Math.sqrt(a * (1 - a) * b);
    return Latents.mix(Math.sqrt(b / a), sample, -(b - a) / denominator, noise);
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return noised(image, noise, schedule.alphaCumprod(timestep(index())));
  }
}
