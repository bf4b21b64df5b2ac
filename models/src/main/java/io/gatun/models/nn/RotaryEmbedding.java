package io.gatun.models.nn;

import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.ValueLayout;
import java.util.regex.Pattern;

/// The angles of rotary position embedding (Su et al. 2021): pair i of a head turns by `position *
/// theta^(-2i / C)`, the frequencies rescaled for long contexts as the checkpoint says.
public final class RotaryEmbedding {
  /// How the frequencies come about; components are named as in config.json's `rope_scaling`.
  ///
  /// @param ropeType `default`, `linear` (positions divided by factor) or `llama3`
  public record Config(
      double ropeTheta,
      String ropeType,
      double factor,
      double lowFreqFactor,
      double highFreqFactor,
      int originalMaxPositionEmbeddings) {

    /// What has a meaning for other types of scaling, or says how the model was made.
    private static final Pattern HARMLESS =
        Pattern.compile(
            "type|rope_type|finetuned|rope_theta|original_max_position_embeddings"
                + "|max_position_embeddings|factor|(low|high)_freq_factor");

    /// Plain frequencies.
    public static Config of(double theta) {
      return new Config(theta, "default", 1, 1, 1, 0);
    }

    /// From `rope_theta` and `rope_scaling` (or `rope_parameters`) of a config.json.
    ///
    /// @param theta what the model's kind has where the file says nothing
    /// @throws CheckpointException if the type of scaling is not known
    public static Config fromJson(JsonKeys keys, double theta) {
      boolean old = !keys.isAbsent("rope_scaling");
      var scaling = keys.section(old ? "rope_scaling" : "rope_parameters");
      double base = keys.number("rope_theta", scaling.number("rope_theta", theta));
      String type = scaling.text("rope_type", scaling.text("type", "default"));
      scaling.require("partial_rotary_factor", 1);
      var config =
          switch (type) {
            case "default" -> of(base);
            case "linear" -> new Config(base, type, number(scaling, "factor"), 1, 1, 0);
            case "llama3" ->
                new Config(
                    base,
                    type,
                    number(scaling, "factor"),
                    number(scaling, "low_freq_factor"),
                    number(scaling, "high_freq_factor"),
                    scaling.count("original_max_position_embeddings"));
            default -> throw unknown(keys.where(), type);
          };
      scaling.requireAllRead(HARMLESS);
      return config.checked(keys.where());
    }

    private static double number(JsonKeys scaling, String key) {
      if (scaling.isAbsent(key)) {
        throw new CheckpointException(
            "%s: no number \"%s\", which this type of scaling needs"
                .formatted(scaling.where(), key));
      }
      return scaling.number(key, 0);
    }

    /// From `<architecture>.rope.*` of a GGUF file's metadata.
    ///
    /// @param theta `rope.freq_base`
    /// @param type `rope.scaling.type`
    /// @param factor `rope.scaling.factor`; 1 or 0 for none
    /// @throws CheckpointException if the type of scaling is not known
    public static Config fromGguf(double theta, String type, double factor, String where) {
      if (type.equals("linear") || (type.equals("none") && factor != 1 && factor != 0)) {
        return new Config(theta, "linear", factor, 1, 1, 0).checked(where);
      }
      if (!type.equals("none")) {
        throw unknown(where, type);
      }
      return of(theta).checked(where);
    }

    private Config checked(String where) {
      boolean positive =
          ropeTheta > 0 && factor > 0 && lowFreqFactor > 0 && highFreqFactor >= lowFreqFactor;
      if (!positive || !Double.isFinite(ropeTheta) || !Double.isFinite(factor)) {
        throw new CheckpointException(
            "%s: rope_theta %s, scaled by %s, low_freq_factor %s, high_freq_factor %s: need finite numbers above 0, the last not below the one before"
                .formatted(where, ropeTheta, factor, lowFreqFactor, highFreqFactor));
      }
      return this;
    }

    private static CheckpointException unknown(String where, Object type) {
      return new CheckpointException(
          "%s: rope scaling is \"%s\"; Gatun knows default, linear and llama3"
              .formatted(where, type));
    }
  }

  /// The tables for some positions: cos and sin (T, C), the sine of each pair's first element
  /// negated, as [Ops#rope] wants them.
  public record Table(Tensor cos, Tensor sin) {}

  private final double[] frequencies;
  private final boolean interleaved;

  /// @param divisors what each frequency is divided by (GGUF's rope_freqs.weight), or null
  public RotaryEmbedding(Config config, int headDim, boolean interleaved, float[] divisors) {
    this.interleaved = interleaved;
    frequencies = new double[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      double f = scale(config, Math.pow(config.ropeTheta, -2.0 * i / headDim));
      frequencies[i] = divisors == null ? f : f / divisors[i];
    }
  }

  /// What a scaling divides each plain frequency by, as GGUF's rope_freqs.weight says it.
  public static float[] divisors(Config config, int headDim) {
    var divisors = new float[headDim / 2];
    for (int i = 0; i < divisors.length; i++) {
      double f = Math.pow(config.ropeTheta, -2.0 * i / headDim);
      divisors[i] = (float) (f / scale(config, f));
    }
    return divisors;
  }

  private static double scale(Config config, double f) {
    return switch (config.ropeType) {
      case "linear" -> f / config.factor;
      case "llama3" -> {
        // Llama 3.1: long waves are stretched, short ones kept, those between blended.
        double turns = config.originalMaxPositionEmbeddings * f / (2 * Math.PI);
        double keep =
            (turns - config.lowFreqFactor) / (config.highFreqFactor - config.lowFreqFactor);
        double smooth = Math.clamp(keep, 0.0, 1.0);
        yield (1 - smooth) * f / config.factor + smooth * f;
      }
      default -> f;
    };
  }

  /// The tables for `tokens` positions from `position` on, from the workspace.
  public Table table(Ops ops, int position, int tokens) {
    int half = frequencies.length;
    int c = 2 * half;
    var cos = ops.empty(tokens, c);
    var sin = ops.empty(tokens, c);
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < half; i++) {
        double angle = (position + t) * frequencies[i];
        long row = (long) t * c;
        long a = row + (interleaved ? 2 * i : i);
        long b = row + (interleaved ? 2 * i + 1 : half + i);
        float s = (float) Math.sin(angle);
        float x = (float) Math.cos(angle);
        cos.segment().setAtIndex(ValueLayout.JAVA_FLOAT, a, x);
        cos.segment().setAtIndex(ValueLayout.JAVA_FLOAT, b, x);
        sin.segment().setAtIndex(ValueLayout.JAVA_FLOAT, a, -s);
        sin.segment().setAtIndex(ValueLayout.JAVA_FLOAT, b, s);
      }
    }
    return new Table(cos, sin);
  }

  /// Whether neighbouring elements form a pair, and not the halves of a head.
  public boolean interleaved() {
    return interleaved;
  }
}
