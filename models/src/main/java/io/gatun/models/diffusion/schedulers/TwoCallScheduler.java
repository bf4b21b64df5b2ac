package io.gatun.models.diffusion.schedulers;

import java.util.function.Supplier;

/// What schedulers have in common that ask the network twice for a step: at its beginning, and, of
/// the sample that this leads to, at a second sigma. The last step, to no noise, is one of Euler's.
abstract sealed class TwoCallScheduler extends SigmaScheduler
    permits HeunDiscreteScheduler, KDPM2DiscreteScheduler, DPMSolverTwoSAncestralScheduler {
  private float[] start;
  private float[] startImage;

  TwoCallScheduler(SchedulerConfig config) {
    super(config, curve(config, false));
  }

  /// The sigma of the second call.
  abstract double middle(double from, double to);

  /// The sample for the second call.
  float[] toMiddle(float[] sample, float[] image, double from, double middle) {
    return euler(sample, image, from, middle);
  }

  /// The step's result.
  ///
  /// @param start the sample at its beginning
  /// @param startImage what the network makes of that
  /// @param sample at the middle
  /// @param image what the network makes of that
  abstract float[] toEnd(
      float[] start,
      float[] startImage,
      float[] sample,
      float[] image,
      Sigmas at,
      Supplier<float[]> noise);

  /// The sigmas of a step.
  record Sigmas(double from, double middle, double to) {}

  /// Euler's step.
  static float[] euler(float[] sample, float[] image, double from, double to) {
    return Latents.mix(to / from, sample, 1 - to / from, image);
  }

  /// Whether the timesteps of first calls are rounded.
  boolean wholeTimesteps() {
    return false;
  }

  @Override
  final Walk walk(int steps) {
    double[] timesteps = spacing.timesteps(schedule.size(), steps, stepsOffset);
    double[] sigmas = trainedSigmas(timesteps);
    if (curve != Curve.TRAINED) {
      sigmas = along(curve, sigmas[0], sigmas[steps - 1], steps);
      timesteps = timestepsOf(sigmas);
      timesteps = wholeTimesteps() ? rounded(timesteps) : timesteps;
    }
    return new Walk(timesteps, sigmas, 0);
  }

  /// With the second calls between the first ones.
  @Override
  final Walk calls(Walk walk) {
    int steps = walk.sigmas().length;
    var timesteps = new double[2 * steps - 1];
    var sigmas = new double[2 * steps - 1];
    for (int i = 0; i < steps; i++) {
      timesteps[2 * i] = walk.timesteps()[i];
      sigmas[2 * i] = walk.sigmas()[i];
      if (i < steps - 1) {
        double middle = middle(walk.sigmas()[i], walk.sigmas()[i + 1]);
        sigmas[2 * i + 1] = middle;
        timesteps[2 * i + 1] = timestepsOf(middle)[0];
      }
    }
    return new Walk(timesteps, sigmas, walk.last());
  }

  @Override
  final int firstCall(int step) {
    return 2 * step;
  }

  @Override
  public final double initNoiseSigma() {
    return veInitNoiseSigma();
  }

  @Override
  public final float[] scaleModelInput(float[] sample) {
    return Latents.scale(alpha(index()), sample);
  }

  @Override
  final float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    int i = index();
    float[] image = veImage(modelOutput, sample);
    if (i == count() - 1) {
      return euler(sample, image, sigma(i), sigma(i + 1));
    }
    if (i % 2 == 0) {
      start = sample;
      startImage = image;
      return toMiddle(sample, image, sigma(i), sigma(i + 1));
    }
    return toEnd(
        start, startImage, sample, image, new Sigmas(sigma(i - 1), sigma(i), sigma(i + 1)), noise);
  }

  @Override
  final float[] noised(float[] image, float[] noise) {
    return Latents.mix(1, image, sigma(index()), noise);
  }
}
