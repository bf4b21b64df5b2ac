package io.gatun.models.diffusion.schedulers;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.function.Supplier;

/// A linear multistep method along the probability flow: the polynomial through the latest four
/// slopes, integrated to the next sigma (k-diffusion's `sample_lms`).
///
///     d = (x - image(x)) / sigma;  x' = x + sum_k d_k * integral of the Lagrange polynomial k
public final class LMSDiscreteScheduler extends SigmaScheduler {
  private static final int ORDER = 4;

  /// Gauss and Legendre's two points, exact for polynomials of degree 3.
  private static final double POINT = 1 / Math.sqrt(3);

  private final Deque<float[]> slopes = new ArrayDeque<>();

  public LMSDiscreteScheduler(SchedulerConfig config) {
    super(config, curve(config, false));
  }

  @Override
  Walk walk(int steps) {
    double[] timesteps = spacing.timesteps(schedule.size(), steps, stepsOffset);
    double[] sigmas = trainedSigmas(timesteps);
    if (curve != Curve.TRAINED) {
      sigmas = along(curve, sigmas[0], sigmas[steps - 1], steps);
      timesteps = timestepsOf(sigmas);
    }
    return new Walk(timesteps, sigmas, 0);
  }

  @Override
  void restart() {
    slopes.clear();
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
    int i = index();
    double sigma = sigma(i);
    slopes.addFirst(Latents.mix(1 / sigma, sample, -1 / sigma, veImage(modelOutput, sample)));
    if (slopes.size() > ORDER) {
      slopes.removeLast();
    }
    float[] next = sample;
    int k = 0;
    for (float[] slope : new ArrayList<>(slopes)) {
      next = Latents.mix(1, next, integral(i, k++), slope);
    }
    return next;
  }

  /// Of the polynomial that is 1 at the sigma `k` steps before and 0 at those of the other slopes,
  /// over the step.
  private double integral(int i, int k) {
    double half = (sigma(i + 1) - sigma(i)) / 2;
    double centre = (sigma(i + 1) + sigma(i)) / 2;
    return half
        * (polynomial(centre - POINT * half, i, k) + polynomial(centre + POINT * half, i, k));
  }

  private double polynomial(double at, int i, int k) {
    double product = 1;
    for (int other = 0; other < slopes.size(); other++) {
      if (other != k) {
        product *= (at - sigma(i - other)) / (sigma(i - k) - sigma(i - other));
      }
    }
    return product;
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return Latents.mix(1, image, sigma(index()), noise);
  }
}
