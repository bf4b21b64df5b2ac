package io.gatun.models.diffusion.schedulers;

import java.util.List;
import java.util.function.Supplier;

/// DPM-Solver++ in its singlestep form, orders 1 and 2 (Lu et al. 2022, arXiv:2211.01095, algorithm
/// 1), whose steps of second order take two of the run's, the first of them to its middle.
///
/// With image predictions m1 at the beginning of such a step and m0 at its middle, over `h` in
/// lambda, of which r is before the middle:
///
///     x' = (sigma' / sigma) x + alpha' (1 - e^-h) m1 + alpha' (1 - e^-h) (m0 - m1) / (2 r)
public final class DPMSolverSinglestepScheduler extends SigmaScheduler {
  private final boolean second;
  private final boolean midpoint;
  private final boolean lowerOrderFinal;
  private final boolean endsAtZero;
  private float[] start;
  private float[] startImage;

  public DPMSolverSinglestepScheduler(SchedulerConfig config) {
    super(config, curve(config, false));
    DPMSolverMultistepScheduler.refuseOtherModels(config);
    config.refuseAny("variance_type", "the models it runs do not predict a variance");
    int order = config.integer("solver_order", 2);
    if (order < 1 || order > 2) {
      throw config.refused("solver_order", "it has the orders 1 and 2");
    }
    second = order == 2;
    config.oneOf("algorithm_type", "dpmsolver++", List.of("dpmsolver++"));
    midpoint =
        config.oneOf("solver_type", "midpoint", List.of("midpoint", "heun")).equals("midpoint");
    endsAtZero = endsAtZero(config);
    lowerOrderFinal = config.flag("lower_order_final", false) || endsAtZero;
  }

  @Override
  Walk walk(int steps) {
    double last = endsAtZero ? 0 : leastSigma();
    if (curve == Curve.TRAINED) {
      double[] timesteps =
          rounded(TimestepSpacing.LINSPACE.solverTimesteps(schedule.size(), steps, 0));
      return new Walk(timesteps, trainedSigmas(timesteps), last);
    }
    double[] sigmas = along(curve, greatestSigma(), leastSigma(), steps);
    return new Walk(
        DPMSolverMultistepScheduler.whole(timestepsOf(sigmas), curve == Curve.KARRAS),
        sigmas,
        last);
  }

  @Override
  void restart() {
    start = null;
  }

  /// Whether the step goes from its beginning through a middle.
  private boolean isSecond(int i) {
    boolean ends = i == count() - 1 && (lowerOrderFinal || count() % 2 != 0);
    return second && i % 2 == 1 && !ends && start != null;
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    int i = index();
    float[] image = prediction.image(alpha(i), vpSigma(i)).of(sample, modelOutput);
    if (!isSecond(i)) {
      start = sample;
      startImage = image;
      double h = lambda(i + 1) - lambda(i);
      return Latents.mix(
          vpSigma(i + 1) / vpSigma(i), sample, -alpha(i + 1) * Math.expm1(-h), image);
    }
    double h = lambda(i + 1) - lambda(i - 1);
    double r = (lambda(i) - lambda(i - 1)) / h;
    double grown = -Math.expm1(-h);
    double alpha = alpha(i + 1);
    double c = (midpoint ? grown / 2 : 1 - grown / h) / r;
    float[] next =
        Latents.mix(vpSigma(i + 1) / vpSigma(i - 1), start, alpha * (grown - c), startImage);
    return Latents.mix(1, next, alpha * c, image);
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return Latents.mix(alpha(index()), image, vpSigma(index()), noise);
  }
}
