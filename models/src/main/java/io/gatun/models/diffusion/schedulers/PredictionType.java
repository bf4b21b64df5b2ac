package io.gatun.models.diffusion.schedulers;

import java.util.Locale;

/// What the network's output means, given a VP sample `x = alpha * image + sigma * noise`.
public enum PredictionType {
  /// The noise (Ho et al. 2020, arXiv:2006.11239).
  EPSILON,
  /// `v = alpha * noise - sigma * image` (Salimans and Ho 2022, arXiv:2202.00512, appendix D).
  V_PREDICTION,
  /// The image.
  SAMPLE;

  /// The name in configurations: `v_prediction`.
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /// `sample * x + output * networkOutput`.
  record Mix(double sample, double output) {
    float[] of(float[] x, float[] networkOutput) {
      return Latents.mix(sample, x, output, networkOutput);
    }
  }

  /// The image.
  Mix image(double alpha, double sigma) {
    return switch (this) {
      case EPSILON -> new Mix(1 / alpha, -sigma / alpha);
      case V_PREDICTION -> new Mix(alpha, -sigma);
      case SAMPLE -> new Mix(0, 1);
    };
  }

  /// The noise.
  Mix noise(double alpha, double sigma) {
    return switch (this) {
      case EPSILON -> new Mix(0, 1);
      case V_PREDICTION -> new Mix(sigma, alpha);
      case SAMPLE -> new Mix(1 / sigma, -alpha / sigma);
    };
  }
}
