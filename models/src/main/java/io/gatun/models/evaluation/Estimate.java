package io.gatun.models.evaluation;

/// A mean of what was observed, and how sure it is.
///
/// @param value the mean
/// @param error its standard error, as if observations were independent; NaN for fewer than two
/// @param count of the observations
public record Estimate(double value, double error, long count) {
  /// Of the normal distribution, 95 % lie within so many standard deviations.
  private static final double NORMAL_95 = 1.959964;

  /// How far the value may be off: 95 % of such intervals hold the true one.
  public double margin() {
    return NORMAL_95 * error;
  }

  /// The estimate of a function of the value, by the function's slope there.
  public Estimate map(double newValue, double slope) {
    return new Estimate(newValue, error * Math.abs(slope), count);
  }

  /// Takes observations one by one, in no more memory than three numbers (Welford 1962).
  static final class Sum {
    private long count;
    private double mean;
    private double squares;

    void add(double observation) {
      count++;
      double before = observation - mean;
      mean += before / count;
      squares += before * (observation - mean);
    }

    Estimate estimate() {
      return new Estimate(mean, Math.sqrt(squares / (count - 1) / count), count);
    }
  }
}
