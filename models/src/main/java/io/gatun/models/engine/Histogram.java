package io.gatun.models.engine;

/// How many times took how long.
///
/// @param counts element i of those of at most `BOUNDS[i]` seconds and more than the bound before;
///   the last of all that took longer
/// @param seconds all together
@SuppressWarnings("ArrayRecordComponent") // to be read, not to be compared
public record Histogram(long[] counts, double seconds) {
  private static final double[] BOUNDS = {
    .001, .0025, .005, .01, .02, .03, .04, .05, .075, .1, .15, .2, .3, .5, .75, 1, 2, 5, 10, 30, 60
  };

  /// The upper bounds, in seconds; what took longer than the last is counted by itself.
  public static double[] bounds() {
    return BOUNDS.clone();
  }

  /// How many there are.
  public long count() {
    long sum = 0;
    for (long count : counts) {
      sum += count;
    }
    return sum;
  }

  /// One that is being filled, by one thread.
  static final class Filling {
    private final long[] counts = new long[BOUNDS.length + 1];
    private double sum;

    void add(double seconds) {
      int i = 0;
      while (i < BOUNDS.length && seconds > BOUNDS[i]) {
        i++;
      }
      counts[i]++;
      sum += seconds;
    }

    Histogram snapshot() {
      return new Histogram(counts.clone(), sum);
    }
  }
}
