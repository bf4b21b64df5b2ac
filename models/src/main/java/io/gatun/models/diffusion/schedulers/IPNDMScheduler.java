package io.gatun.models.diffusion.schedulers;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.function.Supplier;

/// Adams-Bashforth in the network's outputs for models that predict `v` at times from 1 to 0 on a
/// cosine schedule (Liu et al. 2022, arXiv:2202.09778, with the beginning of
/// crowsonkb/v-diffusion-pytorch).
///
///     e = a v + s x, of which the latest four are mixed as PNDM's;  image = (x - s e) / a
///     x' = a' image + s' e
public final class IPNDMScheduler extends Scheduler {
  private final int trainingSteps;
  private final Deque<float[]> outputs = new ArrayDeque<>();
  private double[] betas = {};

  public IPNDMScheduler(SchedulerConfig config) {
    super(config, null);
    trainingSteps = config.integer("num_train_timesteps", 1000);
  }

  @Override
  int mostSteps() {
    return trainingSteps;
  }

  @Override
  double[] start(int steps, int begin) {
    outputs.clear();
    betas = new double[steps + 1];
    for (int i = 0; i < steps; i++) {
      double sin = Math.sin((1 - i / (double) steps) * Math.PI / 2);
      betas[i] = sin * sin;
    }
    return Arrays.stream(betas)
        .limit(steps)
        .map(beta -> Math.atan2(beta, alpha(beta)) * 2 / Math.PI)
        .toArray();
  }

  private static double alpha(double beta) {
    return Math.sqrt(1 - beta * beta);
  }

  /// The share of noise at each of the timesteps, and last that of the result.
  @Override
  public float[] sigmas() {
    var out = new float[betas.length - begin()];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) betas[begin() + i];
    }
    return out;
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    double sigma = betas[index()];
    double next = betas[index() + 1];
    double alpha = Math.max(alpha(sigma), 1e-8);
    outputs.addFirst(Latents.mix(sigma, sample, alpha(sigma), modelOutput));
    float[] e = PNDMScheduler.mixed(outputs);
    double share = alpha(next) / alpha;
    return Latents.mix(share, sample, next - share * sigma, e);
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    double sigma = betas[index()];
    return Latents.mix(alpha(sigma), image, sigma, noise);
  }
}
