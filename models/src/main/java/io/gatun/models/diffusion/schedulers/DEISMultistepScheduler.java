package io.gatun.models.diffusion.schedulers;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;

/// Exponential integration with polynomials in log(rho) through the latest noise predictions, rho
/// being the VE sigma (Zhang and Chen 2022, arXiv:2204.13902, section 4, "tAB-DEIS" in log rho),
/// orders 1 to 3.
///
///     x' / alpha' = x / alpha + sum_k e_k * integral of the Lagrange polynomial k in log(rho)
public final class DEISMultistepScheduler extends SigmaScheduler {
  private final int order;
  private final boolean lowerOrderFinal;
  private final Deque<float[]> noises = new ArrayDeque<>();

  public DEISMultistepScheduler(SchedulerConfig config) {
    super(config, curve(config, false));
    DPMSolverMultistepScheduler.refuseOtherModels(config);
    config.oneOf("solver_type", "logrho", List.of("logrho", "midpoint", "heun", "bh1", "bh2"));
    order = config.integer("solver_order", 2);
    if (order < 1 || order > 3) {
      throw config.refused("solver_order", "it has the orders 1, 2 and 3");
    }
    lowerOrderFinal = config.flag("lower_order_final", true);
  }

  @Override
  Walk walk(int steps) {
    if (curve == Curve.TRAINED) {
      double[] timesteps = rounded(spacing.solverTimesteps(schedule.size(), steps, stepsOffset));
      return new Walk(timesteps, trainedSigmas(timesteps), leastSigma());
    }
    double[] sigmas = along(curve, greatestSigma(), leastSigma(), steps);
    return new Walk(
        DPMSolverMultistepScheduler.whole(timestepsOf(sigmas), curve == Curve.KARRAS),
        sigmas,
        leastSigma());
  }

  /// A walk may not end without noise, where log(rho) is infinite.
  @Override
  Walk calls(Walk walk) {
    return walk.last() > 0 ? walk : new Walk(walk.timesteps(), walk.sigmas(), leastSigma());
  }

  @Override
  void restart() {
    noises.clear();
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    int i = index();
    noises.addFirst(prediction.noise(alpha(i), vpSigma(i)).of(sample, modelOutput));
    if (noises.size() > order) {
      noises.removeLast();
    }
    int left = count() - i;
    boolean lower = lowerOrderFinal && count() < 15;
    int terms = Math.min(noises.size(), lower ? left : order);
    var e = new ArrayList<>(noises);
    double alpha = alpha(i + 1);
    float[] next = Latents.scale(alpha / alpha(i), sample);
    for (int k = 0; k < terms; k++) {
      next = Latents.mix(1, next, alpha * integral(i, k, terms), e.get(k));
    }
    return next;
  }

  /// Of the polynomial in log(rho) that is 1 at the step `k` before and 0 at the others, over rho.
  private double integral(int i, int k, int terms) {
    var others = new ArrayList<Double>();
    double scale = 1;
    for (int other = 0; other < terms; other++) {
      if (other != k) {
        double log = Math.log(sigma(i - other));
        others.add(log);
        scale *= Math.log(sigma(i - k)) - log;
      }
    }
    return (antiderivative(sigma(i + 1), others) - antiderivative(sigma(i), others)) / scale;
  }

  /// Of the product of `log(rho) - c` for each c.
  private static double antiderivative(double rho, List<Double> c) {
    double l = Math.log(rho);
    return rho
        * switch (c.size()) {
          case 0 -> 1;
          case 1 -> l - 1 - c.getFirst();
          default -> l * l - 2 * l + 2 - (c.get(0) + c.get(1)) * (l - 1) + c.get(0) * c.get(1);
        };
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return Latents.mix(alpha(index()), image, vpSigma(index()), noise);
  }
}
