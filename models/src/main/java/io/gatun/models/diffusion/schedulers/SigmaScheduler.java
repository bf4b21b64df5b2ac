package io.gatun.models.diffusion.schedulers;

import io.gatun.loaders.CheckpointException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.function.IntFunction;

/// What schedulers have in common that go along a list of VE sigmas, which may lie between those of
/// the training steps.
abstract sealed class SigmaScheduler extends Scheduler
    permits TwoCallScheduler,
        LMSDiscreteScheduler,
        DEISMultistepScheduler,
        DPMSolverSinglestepScheduler,
        EulerDiscreteScheduler,
        EulerAncestralDiscreteScheduler,
        DPMSolverMultistepScheduler,
        UniPCMultistepScheduler {
  private static final String ONE_SPACING =
      "only one of use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas and use_lu_lambdas"
          + " may be true";

  final TimestepSpacing spacing;
  final Curve curve;
  private final float[] training;
  private float[] sigmas = {};
  private IntFunction<double[]> table;

  SigmaScheduler(SchedulerConfig config, Curve curve) {
    super(config, NoiseSchedule.of(config).withFiniteSigmas());
    this.curve = curve;
    spacing = config.choice("timestep_spacing", TimestepSpacing.LINSPACE);
    training = schedule.sigmas();
  }

  /// How the sigmas of a run lie between its greatest and its least.
  enum Curve {
    /// At the timesteps, as they were in training.
    TRAINED,
    /// Evenly in `sigma^(1/7)` (Karras et al. 2022, arXiv:2206.00364, equation 5).
    KARRAS,
    /// More at both ends, by quantiles of a beta distribution (Lee et al. 2024, arXiv:2407.12173).
    BETA,
    /// Evenly in log(sigma), and so in lambda (Lu et al. 2022, arXiv:2206.00927, section 3.4).
    EXPONENTIAL
  }

  /// The curve that the flags choose; `use_lu_lambdas` is one of DPM-Solver's alone.
  static Curve curve(SchedulerConfig config, boolean luLambdas) {
    var curves = new ArrayList<Curve>();
    if (config.flag("use_karras_sigmas", false)) {
      curves.add(Curve.KARRAS);
    }
    if (config.flag("use_beta_sigmas", false)) {
      curves.add(Curve.BETA);
    }
    if (config.flag("use_exponential_sigmas", false)) {
      curves.add(Curve.EXPONENTIAL);
    }
    if (luLambdas) {
      curves.add(Curve.EXPONENTIAL);
    }
    if (curves.size() > 1) {
      throw new CheckpointException(config.where() + ": " + ONE_SPACING);
    }
    return curves.isEmpty() ? Curve.TRAINED : curves.getFirst();
  }

  final boolean isKarras() {
    return curve == Curve.KARRAS;
  }

  /// Whether the last sigma is 0 and not the first training step's.
  static boolean endsAtZero(SchedulerConfig config) {
    return config.oneOf("final_sigmas_type", "zero", List.of("zero", "sigma_min")).equals("zero");
  }

  /// The steps of a run.
  ///
  /// @param timesteps what the network is told
  /// @param last the sigma that the run ends at
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Walk(double[] timesteps, double[] sigmas, double last) {}

  /// All steps of a run, as the configuration has them.
  abstract Walk walk(int steps);

  /// The calls of the network that steps take.
  Walk calls(Walk walk) {
    return walk;
  }

  /// Forgets the run before.
  void restart() {}

  @Override
  final double[] start(int steps, int begin) {
    restart();
    Walk walk = calls(table == null ? walk(steps) : tabled(table.apply(steps)));
    sigmas = new float[walk.sigmas.length + 1];
    for (int i = 0; i < walk.sigmas.length; i++) {
      sigmas[i] = (float) walk.sigmas[i];
    }
    sigmas[walk.sigmas.length] = (float) walk.last;
    return walk.timesteps;
  }

  private Walk tabled(double[] values) {
    return new Walk(timestepsOf(values), values, 0);
  }

  @Override
  public final void spacing(Spacing other, boolean xl) {
    if (!other.isOfTimesteps()) {
      table(steps -> other.sigmas(training, steps, xl));
    }
  }

  @Override
  public final void table(IntFunction<double[]> sigmasOfSteps) {
    table = sigmasOfSteps;
  }

  /// Sigmas from `max` down to `min` on a curve other than the trained one.
  static double[] along(Curve curve, double max, double min, int steps) {
    return switch (curve) {
      case KARRAS -> between(max, min, steps, s -> Math.pow(s, 1 / 7.0), s -> Math.pow(s, 7));
      case BETA -> beta(max, min, steps);
      case TRAINED, EXPONENTIAL -> between(max, min, steps, Math::log, Math::exp);
    };
  }

  private static double[] beta(double max, double min, int steps) {
    var out = new double[steps];
    for (int i = 0; i < steps; i++) {
      double share = steps == 1 ? 1 : 1 - i / (steps - 1.0);
      out[i] = min + (max - min) * BetaDistribution.quantile(share, Spacing.BETA_PARAMETER);
    }
    return out;
  }

  private static double[] between(
      double max, double min, int steps, DoubleUnaryOperator scale, DoubleUnaryOperator back) {
    double from = scale.applyAsDouble(max);
    double to = scale.applyAsDouble(min);
    var out = new double[steps];
    for (int i = 0; i < steps; i++) {
      double share = steps == 1 ? 0 : i / (steps - 1.0);
      out[i] = back.applyAsDouble(from + share * (to - from));
    }
    return out;
  }

  /// The training steps' sigmas at these timesteps, interpolated.
  final double[] trainedSigmas(double[] timesteps) {
    return Arrays.stream(timesteps)
        .map(
            t -> {
              int low = Math.clamp((long) t, 0, training.length - 2);
              double share = Math.clamp(t - low, 0, 1);
              return training[low] + share * (training[low + 1] - training[low]);
            })
        .toArray();
  }

  /// The timesteps that have these sigmas, interpolated in log(sigma).
  final double[] timestepsOf(double... values) {
    return Arrays.stream(values)
        .map(
            sigma -> {
              int low = 0;
              while (low < training.length - 2 && training[low + 1] <= sigma) {
                low++;
              }
              double from = Math.log(training[low]);
              double share = (Math.log(sigma) - from) / (Math.log(training[low + 1]) - from);
              return low + Math.clamp(share, 0, 1);
            })
        .toArray();
  }

  /// The sigma of training step 0, and of the last one.
  final double leastSigma() {
    return training[0];
  }

  final double greatestSigma() {
    return training[training.length - 1];
  }

  /// The VE sigma at step `i`, the last being the result's.
  final double sigma(int i) {
    return sigmas[i];
  }

  /// The VP sample's share of the image at step `i`.
  final double alpha(int i) {
    return 1 / Math.sqrt((double) sigmas[i] * sigmas[i] + 1);
  }

  /// The VP sample's share of noise at step `i`.
  final double vpSigma(int i) {
    return sigmas[i] * alpha(i);
  }

  /// `log(alpha / sigma)` at step `i`; infinite where there is no noise.
  final double lambda(int i) {
    return -Math.log(sigmas[i]);
  }

  @Override
  public float[] sigmas() {
    return Arrays.copyOfRange(sigmas, begin(), sigmas.length);
  }

  /// The image in the VE sample of the run's next step.
  final float[] veImage(float[] modelOutput, float[] sample) {
    double alpha = alpha(index());
    var mix = prediction.image(alpha, vpSigma(index()));
    return Latents.mix(mix.sample() * alpha, sample, mix.output(), modelOutput);
  }

  /// VE samples have the noise of [#initNoiseSigma] and are scaled down for the network.
  final double veInitNoiseSigma() {
    double max = 0;
    for (float sigma : sigmas) {
      max = Math.max(max, sigma);
    }
    return spacing == TimestepSpacing.LEADING ? Math.sqrt(max * max + 1) : max;
  }
}
