package io.gatun.tests.lifetime;

import io.gatun.models.text.SamplingOptions;

/// Sampling that always gives the same text.
final class Greedy {
  static final SamplingOptions SAMPLING = SamplingOptions.DEFAULT.withTemperature(0);

  /// As above, for answers that are to be long.
  static final SamplingOptions ENDLESS = SAMPLING;

  private Greedy() {}
}
