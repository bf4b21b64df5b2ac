package io.gatun.models.image;

/// How new pixels are weighed from old ones when an image is resized; all of them are wider where
/// the image gets smaller, so that nothing is skipped (antialiasing).
///
/// Source: the filters of Pillow's `Resample.c`, whose names they have.
public enum Filter {
  BILINEAR(1) {
    @Override
    double weight(double x) {
      return Math.max(0, 1 - Math.abs(x));
    }
  },
  /// Keys' cubic convolution with a = -0.5.
  BICUBIC(2) {
    @Override
    double weight(double x) {
      double a = -0.5;
      double d = Math.abs(x);
      if (d < 1) {
        return ((a + 2) * d - (a + 3)) * d * d + 1;
      }
      return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
    }
  },
  LANCZOS(3) {
    @Override
    double weight(double x) {
      return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    }

    private static double sinc(double x) {
      return x == 0 ? 1 : StrictMath.sin(x * Math.PI) / (x * Math.PI);
    }
  };

  /// How far it reaches, in pixels of the coarser image.
  final double support;

  Filter(double support) {
    this.support = support;
  }

  /// The weight of a pixel at distance `x`.
  abstract double weight(double x);
}
