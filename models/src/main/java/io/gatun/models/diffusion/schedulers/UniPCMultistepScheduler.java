package io.gatun.models.diffusion.schedulers;

import io.gatun.loaders.CheckpointException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/// UniPC: a multistep predictor, and a corrector that the next step's network output pays for (Zhao
/// et al. 2023, "UniPC: A Unified Predictor-Corrector Framework", arXiv:2302.04867, algorithms 5 to
/// 8; B(h) as in section 3.2 there).
///
/// For image predictions, from sample x with prediction m0 to lambda + h:
///
///     base = (sigma'/sigma) x - alpha' (e^-h - 1) m0
///     predictor: x' = base - alpha' B(h) sum_i rho_i (m_i - m0) / r_i
///     corrector: the same with the prediction at x' as one more m_i, of r = 1
///
/// where m_i is the prediction i steps before, `r_i = (lambda_i - lambda) / h`, and the rho solve
/// `sum_i rho_i r_i^(k-1) = k! phi_(k+1) / B(h)` for k = 1, 2, ...
public final class UniPCMultistepScheduler extends SigmaScheduler {
  private final int order;
  private final boolean predictImage;
  private final boolean bh1;
  private final boolean lowerOrderFinal;
  private final boolean endsAtZero;
  private final Set<Integer> disableCorrector;
  private final double sigmaMin;
  private final double sigmaMax;

  /// The latest predictions, the last first.
  private final Deque<float[]> predictions = new ArrayDeque<>();

  private float[] lastSample;
  private int lastOrder;

  public UniPCMultistepScheduler(SchedulerConfig config) {
    super(config, curve(config, false));
    DPMSolverMultistepScheduler.refuseOtherModels(config);
    config.refuseAny("solver_p", "it has its own predictor");
    config.refuseAny("shift_terminal", "it is for flow matching models");
    order = config.integer("solver_order", 2);
    if (order < 1 || order > 3) {
      throw config.refused("solver_order", "it has the orders 1, 2 and 3");
    }
    predictImage = config.flag("predict_x0", true);
    bh1 = config.oneOf("solver_type", "bh2", List.of("bh1", "bh2")).equals("bh1");
    lowerOrderFinal = config.flag("lower_order_final", true);
    endsAtZero = endsAtZero(config);
    if (endsAtZero && !(lowerOrderFinal && predictImage)) {
      throw new CheckpointException(
          "%s: final_sigmas_type zero needs lower_order_final and predict_x0: the last step to no noise is infinitely long in lambda"
              .formatted(config.where()));
    }
    disableCorrector = config.integers("disable_corrector");
    sigmaMin = config.optional("sigma_min");
    sigmaMax = config.optional("sigma_max");
  }

  @Override
  void restart() {
    predictions.clear();
    lastSample = null;
  }

  @Override
  Walk walk(int steps) {
    if (curve == Curve.TRAINED) {
      double[] timesteps = rounded(spacing.solverTimesteps(schedule.size(), steps, stepsOffset));
      return new Walk(timesteps, trainedSigmas(timesteps), endsAtZero ? 0 : leastSigma());
    }
    double max = Double.isNaN(sigmaMax) ? greatestSigma() : sigmaMax;
    double min = Double.isNaN(sigmaMin) ? leastSigma() : sigmaMin;
    double[] sigmas = along(curve, max, min, steps);
    return new Walk(
        DPMSolverMultistepScheduler.whole(timestepsOf(sigmas), curve == Curve.KARRAS),
        sigmas,
        endsAtZero ? 0 : min);
  }

  @Override
  float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    int i = index();
    var mix =
        predictImage
            ? prediction.image(alpha(i), vpSigma(i))
            : prediction.noise(alpha(i), vpSigma(i));
    float[] predicted = mix.of(sample, modelOutput);
    float[] x = sample;
    if (lastSample != null && !disableCorrector.contains(i - 1)) {
      x = update(i - 1, lastSample, lastOrder, predicted);
    }
    predictions.addFirst(predicted);
    if (predictions.size() > order) {
      predictions.removeLast();
    }
    lastSample = x;
    lastOrder = Math.min(predictions.size(), lowerOrderFinal ? count() - i : order);
    return update(i, x, lastOrder, null);
  }

  /// The sample at step `s + 1`: predicted from those up to `s`, or, with the prediction `target`
  /// at `s + 1`, corrected.
  private float[] update(int s, float[] x, int p, float[] target) {
    var m = new ArrayList<>(predictions);
    double h = lambda(s + 1) - lambda(s);
    double signed = predictImage ? -h : h;
    double grown = Math.expm1(signed);
    double scale = predictImage ? alpha(s + 1) : vpSigma(s + 1);
    double kept = predictImage ? vpSigma(s + 1) / vpSigma(s) : alpha(s + 1) / alpha(s);
    float[] next = Latents.mix(kept, x, -scale * grown, m.get(0));
    int terms = target == null ? p - 1 : p;
    if (terms == 0) {
      return next;
    }
    var r = new double[terms];
    for (int i = 0; i < terms; i++) {
      r[i] = i < p - 1 ? (lambda(s - 1 - i) - lambda(s)) / h : 1;
    }
    double b = bh1 ? signed : grown;
    double[] rho = coefficients(r, signed, b);
    for (int i = 0; i < terms; i++) {
      float[] other = i < p - 1 ? m.get(i + 1) : target;
      double c = -scale * b * rho[i] / r[i];
      next = Latents.mix(1, next, c, other);
      next = Latents.mix(1, next, -c, m.get(0));
    }
    return next;
  }

  /// The rho of these r; a single one is 1/2, which is exact enough (section 3.3).
  private static double[] coefficients(double[] r, double h, double b) {
    int n = r.length;
    if (n == 1) {
      return new double[] {0.5};
    }
    var rows = new double[n][n + 1];
    double phi = Math.expm1(h) / h - 1; // h * phi_2(h)
    double factorial = 1;
    for (int k = 0; k < n; k++) {
      for (int i = 0; i < n; i++) {
        rows[k][i] = Math.pow(r[i], k);
      }
      rows[k][n] = phi * factorial / b;
      factorial *= k + 2;
      phi = phi / h - 1 / factorial;
    }
    return solve(rows);
  }

  /// Solves the linear equations whose right sides stand in the last column.
  private static double[] solve(double[][] rows) {
    int n = rows.length;
    for (int c = 0; c < n; c++) {
      int pivot = c;
      for (int r = c + 1; r < n; r++) {
        pivot = Math.abs(rows[r][c]) > Math.abs(rows[pivot][c]) ? r : pivot;
      }
      double[] top = rows[pivot];
      rows[pivot] = rows[c];
      rows[c] = top;
      for (int r = 0; r < n; r++) {
        double factor = r == c ? 0 : rows[r][c] / top[c];
        for (int k = c; k <= n && factor != 0; k++) {
          rows[r][k] -= factor * top[k];
        }
      }
    }
    var x = new double[n];
    for (int i = 0; i < n; i++) {
      x[i] = rows[i][n] / rows[i][i];
    }
    return x;
  }

  @Override
  float[] noised(float[] image, float[] noise) {
    return Latents.mix(alpha(index()), image, vpSigma(index()), noise);
  }
}
