package io.gatun.models.diffusion.schedulers;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;

/// DPM-Solver++ in its multistep form, orders 1 to 3 (Lu et al. 2022, arXiv:2211.01095, algorithm 2
/// and appendix B), and its stochastic variant (section 5 there, "SDE-DPM-Solver++").
///
/// With image predictions m0 (latest), m1, m2; `h` the step in lambda, `H = h`, or `2 h` for the SDE:
///
///     x' = (sigma'/sigma) x + alpha' (1 - e^-H) D0 + alpha' c1 D1 + alpha' ((1 - e^-H - H) / H^2 + 1/2) D2
///     c1 = (1 - e^-H) / 2 (midpoint) or 1 - (1 - e^-H) / H (heun, and order 3)
///
/// where D0 = m0 and D1, D2 are divided differences of the predictions in lambda. The SDE has
/// `(sigma'/sigma) e^-h x` and `sigma' sqrt(1 - e^-2h)` of fresh noise.
public final class DPMSolverMultistepScheduler extends SigmaScheduler {
  private final boolean luLambdas;
  private final int order;
  private final boolean sde;
  private final boolean midpoint;
  private final boolean lowerOrderFinal;
  private final boolean eulerAtFinal;
  private final boolean endsAtZero;
  private final int lastTimestep;
  private final boolean cosine;
  private final Deque<float[]> images = new ArrayDeque<>();

  public DPMSolverMultistepScheduler(SchedulerConfig config) {
    super(config, curve(config, config.flag("use_lu_lambdas", false)));
    refuseOtherModels(config);
    config.refuseAny("variance_type", "the models it runs do not predict a variance");
    luLambdas = config.flag("use_lu_lambdas", false);
    order = config.integer("solver_order", 2);
    if (order < 1 || order > 3) {
      throw config.refused("solver_order", "it has the orders 1, 2 and 3");
    }
    sde =
        config
            .oneOf("algorithm_type", "dpmsolver++", List.of("dpmsolver++", "sde-dpmsolver++"))
            .equals("sde-dpmsolver++");
    midpoint =
        config.oneOf("solver_type", "midpoint", List.of("midpoint", "heun")).equals("midpoint");
    lowerOrderFinal = config.flag("lower_order_final", true);
    eulerAtFinal = config.flag("euler_at_final", false);
    endsAtZero = endsAtZero(config);
    cosine = config.text("beta_schedule", "linear").equals("squaredcos_cap_v2");
    lastTimestep = clippedSize(config.number("lambda_min_clipped", Double.NEGATIVE_INFINITY));
  }

  static void refuseOtherModels(SchedulerConfig config) {
    DDIMScheduler.refusePixelSpace(config);
    config.refuse(
        "it is for flow matching models, as Stable Diffusion 3 is",
        "use_flow_sigmas",
        "use_dynamic_shifting");
  }

  /// The training steps up to the first whose lambda is below `least`.
  private int clippedSize(double least) {
    float[] sigmas = schedule.sigmas();
    int size = sigmas.length;
    while (size > 2 && -Math.log(sigmas[size - 1]) < least) {
      size--;
    }
    return size;
  }

  boolean isSde() {
    return sde;
  }

  @Override
  void restart() {
    images.clear();
  }

  @Override
  Walk walk(int steps) {
    double last = endsAtZero ? 0 : leastSigma();
    if (curve == Curve.TRAINED) {
      double[] timesteps = rounded(spacing.solverTimesteps(lastTimestep, steps, stepsOffset));
      return new Walk(timesteps, trainedSigmas(timesteps), last);
    }
    double[] sigmas = along(curve, greatestSigma(), leastSigma(), steps);
    double[] timesteps =
        whole(timestepsOf(sigmas), !cosine && (curve == Curve.KARRAS || luLambdas));
    return new Walk(timesteps, sigmas, last);
  }

  /// The network is told whole timesteps: the nearest, or the next below.
  static double[] whole(double[] timesteps, boolean nearest) {
    var out = timesteps.clone();
    for (int i = 0; i < out.length; i++) {
      out[i] = nearest ? Math.rint(out[i]) : Math.floor(out[i]);
    }
    return out;
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    int i = index();
    images.addFirst(prediction.image(alpha(i), vpSigma(i)).of(sample, modelOutput));
    if (images.size() > order) {
      images.removeLast();
    }
    double h = lambda(i + 1) - lambda(i);
    double doubled = sde ? 2 * h : h;
    double grown = -Math.expm1(-doubled); // 1 - e^-H
    double alpha = alpha(i + 1);
    double shrink = vpSigma(i + 1) / vpSigma(i) * (sde ? Math.exp(-h) : 1);
    List<float[]> d = differences(stepOrder(i), h);
    float[] next = Latents.mix(shrink, sample, alpha * grown, d.get(0));
    if (d.size() > 1) {
      double c = midpoint && d.size() == 2 ? grown / 2 : 1 - grown / doubled;
      next = Latents.mix(1, next, alpha * c, d.get(1));
    }
    if (d.size() > 2) {
      double c = (grown - doubled) / (doubled * doubled) + 0.5;
      next = Latents.mix(1, next, alpha * c, d.get(2));
    }
    return sde ? Latents.mix(1, next, vpSigma(i + 1) * Math.sqrt(grown), noise.get()) : next;
  }

  /// As many predictions as there are, and fewer at the end of short runs, where high orders sway.
  private int stepOrder(int i) {
    int left = count() - i;
    boolean fewSteps = lowerOrderFinal && count() < 15;
    if (left == 1 && (eulerAtFinal || fewSteps || endsAtZero)) {
      return 1;
    }
    return Math.min(images.size(), left == 2 && fewSteps ? 2 : order);
  }

  /// D0, D1, D2 of an order's predictions.
  private List<float[]> differences(int stepOrder, double h) {
    var m = new ArrayList<>(images);
    var d = new ArrayList<float[]>(List.of(m.get(0)));
    if (stepOrder == 1) {
      return d;
    }
    double r0 = (lambda(index()) - lambda(index() - 1)) / h;
    float[] first = Latents.mix(1 / r0, m.get(0), -1 / r0, m.get(1));
    if (stepOrder == 2) {
      d.add(first);
      return d;
    }
    double r1 = (lambda(index() - 1) - lambda(index() - 2)) / h;
    float[] second = Latents.mix(1 / r1, m.get(1), -1 / r1, m.get(2));
    double share = r0 / (r0 + r1);
    d.add(Latents.mix(1 + share, first, -share, second));
    d.add(Latents.mix(1 / (r0 + r1), first, -1 / (r0 + r1), second));
    return d;
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return Latents.mix(alpha(index()), image, vpSigma(index()), noise);
  }
}
