package io.gatun.models.diffusion.schedulers;

import java.util.Arrays;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/// Walks from noise to an image in steps, each of which asks the network once, or twice: then
/// [#timesteps] has two for a step.
///
/// A run is [#setTimesteps], then for each of [#timesteps] in order: the network sees
/// [#scaleModelInput] of the sample and that timestep, and [#step] turns its output and the sample
/// into the next sample. A text-to-image run starts with noise times [#initNoiseSigma]; an
/// image-to-image run begins later in the schedule, with [#addNoise] of the image.
///
/// A scheduler remembers where its run is: one run at a time.
public abstract sealed class Scheduler
    permits SigmaScheduler,
        DDIMScheduler,
        PNDMScheduler,
        LCMScheduler,
        TCDScheduler,
        IPNDMScheduler,
        FlowMatchEulerDiscreteScheduler {
  final SchedulerConfig config;
  final NoiseSchedule schedule;
  final PredictionType prediction;
  final int stepsOffset;

  private double[] all = {};
  private int begin;
  private int index;

  /// @param schedule null for a flow, which has none
  Scheduler(SchedulerConfig config, NoiseSchedule schedule) {
    this.config = config;
    this.schedule = schedule;
    prediction = config.choice("prediction_type", PredictionType.EPSILON);
    stepsOffset = config.integer("steps_offset", 0);
  }

  /// Says, before [#setTimesteps], at which times a flow is followed; only schedulers of flows use
  /// it.
  public void flow(FlowTimes times) {}

  /// Whether it goes along a flow, whose velocity the network must predict.
  public boolean isFlow() {
    return false;
  }

  /// Begins a run of `steps` steps at its first.
  ///
  /// @throws IllegalArgumentException if the schedule cannot have so many steps
  public final void setTimesteps(int steps) {
    setTimesteps(steps, 0);
  }

  /// Begins a run at step `begin` of `steps`.
  ///
  /// @throws IllegalArgumentException if the schedule cannot have so many steps, or `begin` is none
  ///   of them
  public final void setTimesteps(int steps, int begin) {
    if (steps < 1 || steps > mostSteps()) {
      throw new IllegalArgumentException(
          "steps is %d; this scheduler takes 1 to %d".formatted(steps, mostSteps()));
    }
    if (begin < 0 || begin >= steps) {
      throw new IllegalArgumentException(
          "a run of %d steps cannot begin at step %d; the first is 0".formatted(steps, begin));
    }
    all = start(steps, begin);
    this.begin = firstCall(begin);
    index = this.begin;
    if (index >= all.length) {
      throw new IllegalArgumentException(
          "a run that begins at step %d of %d; with this spacing it has %d"
              .formatted(begin, steps, all.length));
    }
  }

  /// Spreads the steps otherwise than the configuration says, from the next [#setTimesteps] on.
  ///
  /// @param xl whether the model is of Stable Diffusion XL's kind
  /// @throws IllegalArgumentException if its steps cannot be spread so
  public void spacing(Spacing spacing, boolean xl) {
    if (!takes(spacing)) {
      throw new IllegalArgumentException(
          "this scheduler's steps cannot be spread as \"%s\" has it; leave out --spacing, or choose another --scheduler"
              .formatted(spacing));
    }
  }

  /// Takes the sigmas of runs from a table, by their steps; 0 follows them.
  ///
  /// @throws IllegalArgumentException if it goes along training steps alone
  public void table(IntFunction<double[]> sigmasOfSteps) {
    throw new IllegalArgumentException("this scheduler goes along training steps alone");
  }

  /// Whether its configuration can have that spacing.
  boolean takes(Spacing spacing) {
    return false;
  }

  /// The number of the call of the network that begins a step.
  int firstCall(int step) {
    return step;
  }

  /// The most steps that a run may have.
  int mostSteps() {
    return schedule.size() - 1 - Math.max(0, stepsOffset);
  }

  /// Makes the tables of a run and forgets the one before; returns all timesteps, also those before
  /// `begin`.
  abstract double[] start(int steps, int begin);

  /// The run's timesteps from where it begins: what the network is told, in order.
  public final float[] timesteps() {
    var out = new float[all.length - begin];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) all[begin + i];
    }
    return out;
  }

  /// The VE sigma of each of [#timesteps], and last that of the run's result; of a flow the share
  /// of noise.
  public abstract float[] sigmas();

  /// What noise is multiplied with to be the first sample.
  public double initNoiseSigma() {
    return 1;
  }

  /// What the network sees of a sample at the run's next timestep.
  public float[] scaleModelInput(float[] sample) {
    return sample;
  }

  /// The next sample, from the network's output for this one.
  ///
  /// @param noise gives standard normal noise of the sample's size, if the scheduler asks for it
  /// @throws IllegalStateException if the run is over
  public final float[] step(float[] modelOutput, float[] sample, Supplier<float[]> noise) {
    if (index >= all.length) {
      throw new IllegalStateException("the run's %d steps are over".formatted(all.length - begin));
    }
    float[] next = next(modelOutput, sample, noise);
    index++;
    return next;
  }

  abstract float[] next(float[] modelOutput, float[] sample, Supplier<float[]> noise);

  /// An image's latents with as much noise as the sample has at the run's next timestep; none after
  /// the last.
  public final float[] addNoise(float[] image, float[] noise) {
    return index >= all.length ? image.clone() : noised(image, noise);
  }

  abstract float[] noised(float[] image, float[] noise);

  /// The step that comes next, counted from the schedule's first.
  final int index() {
    return index;
  }

  /// The step that the run began at.
  final int begin() {
    return begin;
  }

  /// The number of timesteps, also of those before the run's beginning.
  final int count() {
    return all.length;
  }

  /// A timestep of a scheduler that knows only whole ones.
  final int timestep(int i) {
    return (int) all[i];
  }

  /// As whole numbers.
  static double[] rounded(double[] timesteps) {
    return Arrays.stream(timesteps).map(Math::rint).toArray();
  }

  /// VP noise: `sqrt(alphaBar) * image + sqrt(1 - alphaBar) * noise`.
  static float[] noised(float[] image, float[] noise, double alphaBar) {
    return Latents.mix(Math.sqrt(alphaBar), image, Math.sqrt(1 - alphaBar), noise);
  }

  /// The VE sigmas of whole timesteps, and the last one's.
  final float[] sigmasOf(double lastAlphaBar) {
    var out = new float[all.length - begin + 1];
    for (int i = 0; i < out.length; i++) {
      double a = i < out.length - 1 ? schedule.alphaCumprod(timestep(begin + i)) : lastAlphaBar;
      out[i] = (float) Math.sqrt((1 - a) / a);
    }
    return out;
  }
}
