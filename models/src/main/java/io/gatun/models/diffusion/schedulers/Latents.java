package io.gatun.models.diffusion.schedulers;

/// Sums of latents, each in double precision and rounded once.
final class Latents {
  private Latents() {}

  /// `a * x + b * y`.
  static float[] mix(double a, float[] x, double b, float[] y) {
    var out = new float[x.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) (a * x[i] + b * y[i]);
    }
    return out;
  }

  /// `a * x + b * y + c * z`.
  static float[] mix(double a, float[] x, double b, float[] y, double c, float[] z) {
    var out = new float[x.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) (a * x[i] + b * y[i] + c * z[i]);
    }
    return out;
  }

  /// `a * x`.
  static float[] scale(double a, float[] x) {
    var out = new float[x.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) (a * x[i]);
    }
    return out;
  }

  /// `x` within `-limit` and `limit`.
  static float[] clamp(float[] x, double limit) {
    var out = new float[x.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = Math.clamp(x[i], (float) -limit, (float) limit);
    }
    return out;
  }
}
