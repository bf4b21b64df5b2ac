package io.gatun.models.diffusion.schedulers;

/// Quantiles of a beta distribution whose two parameters are equal.
final class BetaDistribution {
  /// Terms of a series whose terms fall at least by half.
  private static final int TERMS = 64;

  private static final int HALVINGS = 60;

  private BetaDistribution() {}

  /// What is larger than a share `p` of the distribution.
  static double quantile(double p, double a) {
    if (p <= 0 || p == 0.5 || p >= 1) {
      return Math.clamp(p, 0, 1); // exactly
    }
    if (p > 0.5) {
      return 1 - quantile(1 - p, a);
    }
    double all = 2 * incomplete(0.5, a);
    double low = 0;
    double high = 0.5;
    for (int i = 0; i < HALVINGS; i++) {
      double middle = (low + high) / 2;
      if (incomplete(middle, a) / all < p) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return (low + high) / 2;
  }

  /// The integral of `(t (1 - t))^(a - 1)` from 0 to `x`, at most 1/2: `x^a` times the sum of `(1 -
  /// a) (2 - a) ... (n - a) x^n / (n! (a + n))`.
  private static double incomplete(double x, double a) {
    double sum = 0;
    double term = 1;
    for (int n = 0; n < TERMS; n++) {
      sum += term / (a + n);
      term *= (n + 1 - a) / (n + 1) * x;
    }
    return Math.pow(x, a) * sum;
  }
}
