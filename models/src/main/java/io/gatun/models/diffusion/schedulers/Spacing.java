package io.gatun.models.diffusion.schedulers;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/// How the steps of a run are spread between noise and image.
public enum Spacing {
  /// Evenly in training steps, from the last to the first.
  LINSPACE,
  /// At the first of equally many training steps each.
  LEADING,
  /// At the last of equally many training steps each.
  TRAILING,
  /// Evenly in training steps, and the last of them not used.
  SGM_UNIFORM,
  /// Evenly in training steps, their sigmas interpolated in logarithms.
  NORMAL,
  /// At every n-th of the training steps' sigmas.
  SIMPLE,
  /// Evenly in `sigma^(1/7)` (Karras et al. 2022, arXiv:2206.00364, equation 5).
  KARRAS,
  /// Evenly in log(sigma).
  EXPONENTIAL,
  /// More at both ends, by quantiles of a beta distribution (Lee et al. 2024, arXiv:2407.12173).
  BETA,
  /// Align Your Steps (Sabour et al. 2024, arXiv:2404.14507): ten steps that were optimized for
  /// Stable Diffusion 1 or XL, others interpolated.
  AYS;

  static final double BETA_PARAMETER = 0.6;

  private static final double[] AYS_SD1 = {
    14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029
  };
  private static final double[] AYS_SDXL = {
    14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029
  };

  /// Flags by which a flow has them.
  private static final Map<Spacing, String> OF_FLOWS =
      Map.of(
          KARRAS,
          "use_karras_sigmas",
          EXPONENTIAL,
          "use_exponential_sigmas",
          BETA,
          "use_beta_sigmas");

  /// The name on the command line: `sgm_uniform`.
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /// Whether it is one of training steps, which a configuration can have.
  boolean isOfTimesteps() {
    return compareTo(TRAILING) <= 0;
  }

  boolean isOfFlows() {
    return OF_FLOWS.containsKey(this);
  }

  /// A configuration with this spacing, as far as configurations have it.
  SchedulerConfig in(SchedulerConfig config, boolean flow) {
    if (flow && isOfFlows()) {
      return config.with(OF_FLOWS.get(this), true);
    }
    return isOfTimesteps() ? config.with("timestep_spacing", toString()) : config;
  }

  /// The sigmas of a run, but for the last, which is 0; where steps would come twice fewer than
  /// asked for.
  ///
  /// @param training of the training steps, the least first
  /// @param xl whether the model is of Stable Diffusion XL's kind
  double[] sigmas(float[] training, int steps, boolean xl) {
    int last = training.length - 1;
    return switch (this) {
      case SGM_UNIFORM -> even(training, steps, steps);
      case LINSPACE, NORMAL -> even(training, steps, steps - 1);
      case SIMPLE, LEADING, TRAILING ->
          IntStream.range(0, steps)
              .mapToDouble(i -> training[last - (int) (i * (training.length / (double) steps))])
              .toArray();
      case KARRAS ->
          SigmaScheduler.along(SigmaScheduler.Curve.KARRAS, training[last], training[0], steps);
      case EXPONENTIAL ->
          SigmaScheduler.along(
              SigmaScheduler.Curve.EXPONENTIAL, training[last], training[0], steps);
      case BETA ->
          IntStream.range(0, steps)
              .mapToDouble(i -> BetaDistribution.quantile(1 - i / (double) steps, BETA_PARAMETER))
              .map(share -> training[(int) Math.rint(share * last)])
              .distinct()
              .toArray();
      case AYS -> interpolated(xl ? AYS_SDXL : AYS_SD1, steps);
    };
  }

  /// At `steps` of `parts + 1` places from the last training step to the first.
  private static double[] even(float[] training, int steps, int parts) {
    return IntStream.range(0, steps)
        .mapToDouble(i -> (training.length - 1) * (parts == 0 ? 1 : 1 - i / (double) parts))
        .map(t -> logInterpolated(training, t))
        .toArray();
  }

  private static double logInterpolated(float[] training, double t) {
    int low = (int) Math.floor(t);
    int high = Math.min(low + 1, training.length - 1);
    double share = t - low;
    return Math.exp((1 - share) * Math.log(training[low]) + share * Math.log(training[high]));
  }

  /// So many of a table's steps and those between them, evenly in logarithms, without the end.
  private static double[] interpolated(double[] table, int steps) {
    double[] rising = DoubleStream.of(table).sorted().toArray();
    var values = new float[rising.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) rising[i];
    }
    return Arrays.stream(even(values, steps, steps)).toArray();
  }
}
