package io.gatun.models.diffusion.schedulers;

import io.gatun.loaders.CheckpointException;
import java.util.List;

/// How much noise each training step has: alphaBar(t), the product of `1 - beta(s)` up to t (Ho et
/// al. 2020, arXiv:2006.11239, section 2).
///
/// Tables are rounded to float where the reference rounds them, so that they agree with its to the
/// last bit or nearly so.
public final class NoiseSchedule {
  /// Models are trained with a thousand.
  private static final int MAX_STEPS = 100_000;

  private final float[] alphasCumprod;

  private NoiseSchedule(float[] alphasCumprod) {
    this.alphasCumprod = alphasCumprod;
  }

  /// The schedule that a configuration describes; `linear` unless it says otherwise.
  ///
  /// @throws CheckpointException if Gatun does not have it
  public static NoiseSchedule of(SchedulerConfig config) {
    return of(config, "linear");
  }

  static NoiseSchedule of(SchedulerConfig config, String defaultSchedule) {
    float[] betas = betas(config, defaultSchedule);
    float[] alphasCumprod = cumulativeProduct(betas);
    return new NoiseSchedule(
        config.flag("rescale_betas_zero_snr", false)
            ? cumulativeProduct(rescaleZeroTerminalSnr(alphasCumprod))
            : alphasCumprod);
  }

  /// The same with a last step that has a little of the image left, so that its VE sigma is finite:
  /// 4096.
  NoiseSchedule withFiniteSigmas() {
    if (alphasCumprod[size() - 1] != 0) {
      return this;
    }
    float[] finite = alphasCumprod.clone();
    finite[size() - 1] = 0x1p-24f;
    return new NoiseSchedule(finite);
  }

  /// The number of training steps.
  public int size() {
    return alphasCumprod.length;
  }

  /// alphaBar(t).
  public float alphaCumprod(int t) {
    return alphasCumprod[t];
  }

  /// The VE sigma of each training step.
  float[] sigmas() {
    var sigmas = new float[size()];
    for (int t = 0; t < sigmas.length; t++) {
      sigmas[t] = (float) Math.sqrt((1 - alphasCumprod[t]) / alphasCumprod[t]);
    }
    return sigmas;
  }

  private static float[] betas(SchedulerConfig config, String defaultSchedule) {
    double[] trained = config.numbers("trained_betas");
    if (trained != null) {
      checkSteps(config, "trained_betas has", trained.length);
      for (double beta : trained) {
        if (!(beta > 0 && beta < 1)) {
          throw new CheckpointException(
              "%s: trained_betas has %s; need numbers between 0 and 1"
                  .formatted(config.where(), beta));
        }
      }
      return toFloats(trained);
    }
    int steps = config.integer("num_train_timesteps", 1000);
    checkSteps(config, "num_train_timesteps is", steps);
    double start = config.number("beta_start", 0.0001);
    double end = config.number("beta_end", 0.02);
    if (!(start > 0 && start <= end && end < 1)) {
      throw new CheckpointException(
          "%s: beta_start is %s, beta_end %s; need 0 < beta_start <= beta_end < 1"
              .formatted(config.where(), start, end));
    }
    return switch (config.oneOf(
        "beta_schedule",
        defaultSchedule,
        List.of("linear", "scaled_linear", "squaredcos_cap_v2"))) {
      case "linear" -> linspace((float) start, (float) end, steps);
      case "scaled_linear" -> {
        float[] betas = linspace((float) Math.sqrt(start), (float) Math.sqrt(end), steps);
        for (int t = 0; t < steps; t++) {
          betas[t] *= betas[t];
        }
        yield betas;
      }
      default -> squaredCosine(steps);
    };
  }

  private static void checkSteps(SchedulerConfig config, String what, int steps) {
    if (steps < 2 || steps > MAX_STEPS) {
      throw new CheckpointException(
          "%s: %s %d; need 2 to %d steps".formatted(config.where(), what, steps, MAX_STEPS));
    }
  }

  /// In float arithmetic from both ends to the middle, as the reference's tables are.
  private static float[] linspace(float start, float end, int n) {
    var out = new float[n];
    float step = (end - start) / (n - 1);
    for (int i = 0; i < n; i++) {
      out[i] = i < n / 2 ? start + step * i : end - step * (n - 1 - i);
    }
    return out;
  }

  /// `alphaBar(t) = cos^2((t/T + 0.008) / 1.008 * pi/2)`, betas at most 0.999 (Nichol and Dhariwal
  /// 2021, arXiv:2102.09672, equation 17).
  private static float[] squaredCosine(int steps) {
    var betas = new double[steps];
    for (int t = 0; t < steps; t++) {
      double ratio = cosineAlphaBar((t + 1.0) / steps) / cosineAlphaBar(t / (double) steps);
      betas[t] = Math.min(1 - ratio, 0.999);
    }
    return toFloats(betas);
  }

  private static double cosineAlphaBar(double t) {
    double cos = Math.cos((t + 0.008) / 1.008 * Math.PI / 2);
    return cos * cos;
  }

  private static float[] cumulativeProduct(float[] betas) {
    var products = new float[betas.length];
    double product = 1;
    for (int t = 0; t < betas.length; t++) {
      product *= 1 - betas[t];
      products[t] = (float) product;
    }
    return products;
  }

  /// Betas by which the last step has nothing of the image left (Lin et al. 2023, arXiv:2305.08891,
  /// algorithm 1).
  private static float[] rescaleZeroTerminalSnr(float[] alphasCumprod) {
    int n = alphasCumprod.length;
    var roots = new float[n];
    for (int t = 0; t < n; t++) {
      roots[t] = (float) Math.sqrt(alphasCumprod[t]);
    }
    float last = roots[n - 1];
    float scale = roots[0] / (roots[0] - last);
    var betas = new float[n];
    float before = 1;
    for (int t = 0; t < n; t++) {
      float root = (roots[t] - last) * scale;
      float product = root * root;
      betas[t] = 1 - product / before;
      before = product;
    }
    return betas;
  }

  private static float[] toFloats(double[] values) {
    var out = new float[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) values[i];
    }
    return out;
  }
}
