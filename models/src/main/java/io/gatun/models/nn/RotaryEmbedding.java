package io.gatun.models.nn;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.ValueLayout;
import java.util.Map;

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

    /// Plain frequencies.
    public static Config of(double theta) {
      return new Config(theta, "default", 1, 1, 1, 0);
    }

    /// From `rope_theta` and `rope_scaling` (or `rope_parameters`) of a config.json.
    ///
    /// @throws CheckpointException if the type of scaling is not known
    public static Config fromJson(JsonNode json, String where) {
      JsonNode scaling =
          json.hasNonNull("rope_scaling") ? json.get("rope_scaling") : json.path("rope_parameters");
      double theta = json.path("rope_theta").asDouble(scaling.path("rope_theta").asDouble(10000));
      String type = scaling.path("rope_type").asText(scaling.path("type").asText("default"));
      return switch (type) {
        case "default" -> of(theta);
        case "linear" -> new Config(theta, type, number(scaling, "factor", where), 1, 1, 0);
        case "llama3" ->
            new Config(
                theta,
                type,
                number(scaling, "factor", where),
                number(scaling, "low_freq_factor", where),
                number(scaling, "high_freq_factor", where),
                (int) number(scaling, "original_max_position_embeddings", where));
        default -> throw unknown(where, type);
      };
    }

    /// From `<architecture>.rope.*` of a GGUF file's metadata.
    ///
    /// @throws CheckpointException if the type of scaling is not known
    public static Config fromGguf(Map<String, Object> metadata, String architecture, String where) {
      String prefix = architecture + ".rope.";
      double theta = metadata.get(prefix + "freq_base") instanceof Number n ? n.doubleValue() : 1e4;
      Object type = metadata.getOrDefault(prefix + "scaling.type", "none");
      Object factor =
          metadata.getOrDefault(prefix + "scaling.factor", metadata.get(prefix + "scale_linear"));
      double f = factor instanceof Number n ? n.doubleValue() : 1;
      if (type.equals("linear") || (type.equals("none") && f != 1 && f != 0)) {
        return new Config(theta, "linear", f, 1, 1, 0);
      }
      if (!type.equals("none")) {
        throw unknown(where, type);
      }
      return of(theta);
    }

    private static double number(JsonNode scaling, String key, String where) {
      if (!scaling.path(key).isNumber()) {
        throw new CheckpointException(
            "%s: rope_scaling has no number \"%s\", which its type needs".formatted(where, key));
      }
      return scaling.get(key).doubleValue();
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
