package io.gatun.models.decoder;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.util.regex.Pattern;

/// Where rotary frequencies come from.
///
/// @param theta the base: pair i of C numbers turns by `theta^(-2i / C)` a position
/// @param partial the share of a head that is rotated
public record RopeConfig(double theta, double partial, RopeScaling scaling) {
  /// What has a meaning for other types of scaling, or says how the model was made; how frequencies
  /// are shared between time, height and width, which of text are all the same position.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "type|rope_type|finetuned|rope_theta|original_max_position_embeddings"
              + "|max_position_embeddings|factor|(low|high)_freq_factor|beta_(fast|slow)"
              + "|mscale|mscale_all_dim|llama_4_scaling_beta|attention_factor|attn_factor"
              + "|mrope_(section|interleaved)");

  /// From `rope_theta` and `rope_scaling` (or `rope_parameters`) of a config.json.
  ///
  /// @param theta what the model's kind has where the file says nothing
  /// @throws CheckpointException if the type of scaling is not known
  static RopeConfig of(Keys keys, double theta) {
    return of(keys, section(keys), theta);
  }

  /// As [#of(Keys, double)], of layers of one type, where the file tells them apart.
  public static RopeConfig of(Keys keys, String layerType, double theta) {
    var section = section(keys);
    return of(keys, section.isAbsent(layerType) ? section : section.section(layerType), theta);
  }

  /// Whether the file says of layers of one type how they turn positions.
  public static boolean hasOwn(Keys keys, String layerType) {
    return !section(keys).isAbsent(layerType);
  }

  /// The section that says how positions are scaled.
  public static JsonKeys section(Keys keys) {
    return keys.section(keys.isAbsent("rope_scaling") ? "rope_parameters" : "rope_scaling");
  }

  private static RopeConfig of(Keys keys, JsonKeys scaling, double theta) {
    double base = scaling.number("rope_theta", keys.number("rope_theta", theta));
    double partial =
        scaling.number("partial_rotary_factor", keys.number("partial_rotary_factor", 1));
    var read = scaling(keys, scaling);
    boolean whole = read instanceof RopeScaling.Proportional;
    var config = new RopeConfig(base, whole ? 1 : partial, read);
    scaling.requireAllRead(HARMLESS);
    return config.checked(keys.where());
  }

  /// Plain frequencies.
  public static RopeConfig of(double theta) {
    return new RopeConfig(theta, 1, RopeScaling.none());
  }

  /// The numbers of a head that are rotated.
  public int dim(int headDim) {
    return (int) (headDim * partial + 1e-6);
  }

  /// What the scaling divides each plain frequency by, as GGUF's rope_freqs.weight says it.
  public float[] divisors(int headDim) {
    double[] plain = RopeScaling.none().frequencies(theta, headDim, 0, 0);
    double[] scaled = scaling.frequencies(theta, headDim, 0, 0);
    var divisors = new float[plain.length];
    for (int i = 0; i < divisors.length; i++) {
      divisors[i] = (float) (plain[i] / scaled[i]);
    }
    return divisors;
  }

  private static RopeScaling scaling(Keys keys, JsonKeys scaling) {
    String type = scaling.text("rope_type", scaling.text("type", "default"));
    int max = keys.count("max_position_embeddings", 2048);
    int original =
        scaling.count(
            "original_max_position_embeddings",
            keys.count("original_max_position_embeddings", max));
    return switch (type) {
      case "default", "none" -> RopeScaling.none();
      case "linear" -> new RopeScaling.Linear(number(scaling, "factor"));
      case "dynamic" -> new RopeScaling.Dynamic(number(scaling, "factor"), max);
      case "llama3" ->
          new RopeScaling.Llama3(
              number(scaling, "factor"),
              number(scaling, "low_freq_factor"),
              number(scaling, "high_freq_factor"),
              scaling.count("original_max_position_embeddings"));
      case "proportional" ->
          new RopeScaling.Proportional(
              scaling.number("partial_rotary_factor", 1), scaling.number("factor", 1));
      case "yarn" -> yarn(scaling, original);
      case "longrope", "su" -> longRope(scaling, original, max);
      default ->
          throw new CheckpointException(
              "%s: rope scaling is \"%s\"; Gatun knows default, linear, dynamic, llama3, proportional, yarn and longrope"
                  .formatted(keys.where(), type));
    };
  }

  private static RopeScaling yarn(JsonKeys scaling, int original) {
    double factor = number(scaling, "factor");
    double mscale = scaling.number("mscale", 0);
    double all = scaling.number("mscale_all_dim", 0);
    double attention =
        mscale != 0 && all != 0
            ? RopeScaling.Yarn.mscale(factor, mscale) / RopeScaling.Yarn.mscale(factor, all)
            : RopeScaling.Yarn.mscale(factor, 1);
    return new RopeScaling.Yarn(
        factor,
        original,
        scaling.number("beta_fast", 32),
        scaling.number("beta_slow", 1),
        scaling.flag("truncate", true),
        scaling.number("attention_factor", attention));
  }

  private static RopeScaling longRope(JsonKeys scaling, int original, int max) {
    double factor = scaling.number("factor", max / (double) original);
    double attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
    return new RopeScaling.LongRope(
        scaling.numbers("short_factor"),
        scaling.numbers("long_factor"),
        original,
        scaling.number("attention_factor", attention));
  }

  private static double number(JsonKeys scaling, String key) {
    if (scaling.isAbsent(key)) {
      throw new CheckpointException(
          "%s: no number \"%s\", which this type of scaling needs".formatted(scaling.where(), key));
    }
    return scaling.number(key, 0);
  }

  private RopeConfig checked(String where) {
    boolean positive =
        scaling instanceof RopeScaling.None // most are, and Java makes a class for the switch
            || switch (scaling) {
              case RopeScaling.None _ -> true;
              case RopeScaling.Linear(double factor) -> positive(factor);
              case RopeScaling.Llama3(double factor, double low, double high, int _) ->
                  positive(factor) && positive(low) && high >= low && Double.isFinite(high);
              case RopeScaling.Dynamic(double factor, int _) -> positive(factor);
              case RopeScaling.Proportional(double share, double factor) ->
                  positive(share) && share <= 1 && positive(factor);
              case RopeScaling.Yarn y ->
                  positive(y.factor())
                      && positive(y.betaSlow())
                      && y.betaFast() >= y.betaSlow()
                      && theta != 1
                      && positive(y.attentionFactor());
              case RopeScaling.LongRope l ->
                  allPositive(l.shortFactor())
                      && allPositive(l.longFactor())
                      && positive(l.attentionFactor());
            };
    if (!positive || !positive(theta) || !(partial > 0 && partial <= 1)) {
      throw new CheckpointException(
          "%s: rope_theta %s, partial_rotary_factor %s, scaled by %s: need finite numbers above 0, high_freq_factor not below low_freq_factor, beta_fast not below beta_slow"
              .formatted(where, theta, partial, scaling));
    }
    return this;
  }

  private static boolean positive(double v) {
    return v > 0 && Double.isFinite(v);
  }

  private static boolean allPositive(float[] values) {
    for (float v : values) {
      if (!positive(v)) {
        return false;
      }
    }
    return true;
  }
}
