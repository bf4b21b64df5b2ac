package io.gatun.models.sampling;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/// How the next token is chosen; see the package for the order in which these apply.
///
/// @param logitBias what is added to the logits of tokens; -Infinity rules one out
/// @param penalties of what was repeated
/// @param dry a penalty of repeated runs of tokens
/// @param topK keeps the `topK` most probable tokens; 0 keeps all
/// @param typicalP keeps the tokens whose surprise is nearest to the expected one, until they have
///   this probability together (locally typical sampling); 1 keeps all
/// @param topP keeps the most probable tokens that together reach this probability; 1 keeps all
/// @param minP keeps tokens at least this share as probable as the most probable one; 0 keeps all
/// @param temperature divides the logits; 0 takes the most probable token, whatever else of top-k
///   to min-p is set
/// @param seed the random numbers' seed: the same seed and logits give the same tokens; null draws
///   a new one for each text, which [Sampler#seed] tells
public record SamplingOptions(
    Map<Integer, Float> logitBias,
    Penalties penalties,
    Dry dry,
    int topK,
    float typicalP,
    float topP,
    float minP,
    float temperature,
    Long seed) {
  /// The last so many tokens, of prompt and answer, for `repeat last-n`: all.
  public static final int ALL = -1;

  /// What becomes of tokens that are among the recent ones, as in llama.cpp: of the prompt, too.
  ///
  /// @param repeat divides their positive logits and multiplies the negative ones; 1 does nothing
  /// @param presence is subtracted from their logits; 0 does nothing
  /// @param frequency is subtracted for each time they are there; 0 does nothing
  /// @param lastN how many recent tokens count; [#ALL] for all, 0 for none
  public record Penalties(float repeat, float presence, float frequency, int lastN) {
    public static final Penalties NONE = new Penalties(1, 0, 0, 64);

    /// @throws IllegalArgumentException if a value is outside its range
    public Penalties {
      Range.check(
          repeat > 0 && Float.isFinite(repeat),
          "repeat penalty",
          repeat,
          "above 0; 1 does nothing");
      Range.check(Math.abs(presence) <= 100, "presence penalty", presence, "-100 to 100");
      Range.check(Math.abs(frequency) <= 100, "frequency penalty", frequency, "-100 to 100");
      Range.check(lastN >= ALL, "repeat last-n", lastN, "0 or more, or -1 for all");
    }

    boolean changes() {
      return lastN != 0 && (repeat != 1 || presence != 0 || frequency != 0);
    }
  }

  /// "Don't repeat yourself" (p-e-w 2024): a token that would go on with a run of tokens that was
  /// there before gets `multiplier * base^(length of the run - allowedLength)` subtracted.
  ///
  /// @param multiplier 0 does nothing
  /// @param allowedLength runs up to one less than this long may be repeated
  /// @param lastN how many recent tokens, of prompt and answer, are looked through; [#ALL] for all
  /// @param breakers texts that end a run: it does not reach back over a token that has one in it
  public record Dry(
      float multiplier, float base, int allowedLength, int lastN, List<String> breakers) {
    /// llama.cpp's values, with the multiplier that turns it off.
    public static final Dry OFF = new Dry(0, 1.75f, 2, ALL, List.of("\n", ":", "\"", "*"));

    /// @throws IllegalArgumentException if a value is outside its range
    public Dry {
      Range.check(
          multiplier >= 0 && Float.isFinite(multiplier), "DRY multiplier", multiplier, "0 or more");
      Range.check(base >= 1 && Float.isFinite(base), "DRY base", base, "1 or more");
      Range.check(allowedLength >= 1, "DRY allowed length", allowedLength, "1 or more");
      Range.check(lastN >= ALL, "DRY last-n", lastN, "0 or more, or -1 for all");
      breakers = List.copyOf(breakers);
      for (String breaker : breakers) {
        Range.check(!breaker.isEmpty(), "a DRY breaker", "empty", "at least one character");
      }
    }

    public Dry withMultiplier(float value) {
      return new Dry(value, base, allowedLength, lastN, breakers);
    }

    boolean changes() {
      return multiplier > 0 && lastN != 0;
    }
  }

  /// The most probable token, always.
  public static final SamplingOptions GREEDY =
      new SamplingOptions(Map.of(), Penalties.NONE, Dry.OFF, 0, 1, 1, 0, 0, null);

  /// llama.cpp's defaults: temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, no penalty, and a new
  /// seed for each text.
  public static final SamplingOptions DEFAULT =
      new SamplingOptions(Map.of(), Penalties.NONE, Dry.OFF, 40, 1, .95f, .05f, .8f, null);

  /// @throws IllegalArgumentException if a value is outside its range
  public SamplingOptions {
    logitBias = Map.copyOf(logitBias);
    logitBias.forEach(
        (token, bias) -> {
          Range.check(token >= 0, "a token with a logit bias", token, "0 or more");
          Range.check(
              bias < Float.POSITIVE_INFINITY,
              "the logit bias of token " + token,
              bias,
              "a number, or -Infinity");
        });
    Objects.requireNonNull(penalties, "the penalties are null");
    Objects.requireNonNull(dry, "what DRY does is null");
    Range.check(
        temperature >= 0 && Float.isFinite(temperature), "temperature", temperature, "0 or more");
    Range.check(topK >= 0, "top-k", topK, "0 (all tokens) or more");
    Range.check(typicalP > 0 && typicalP <= 1, "typical-p", typicalP, "above 0 and at most 1");
    Range.check(topP > 0 && topP <= 1, "top-p", topP, "above 0 and at most 1");
    Range.check(minP >= 0 && minP <= 1, "min-p", minP, "0 to 1");
  }

  public SamplingOptions withLogitBias(Map<Integer, Float> value) {
    return new SamplingOptions(
        value, penalties, dry, topK, typicalP, topP, minP, temperature, seed);
  }

  public SamplingOptions withPenalties(Penalties value) {
    return new SamplingOptions(
        logitBias, value, dry, topK, typicalP, topP, minP, temperature, seed);
  }

  public SamplingOptions withDry(Dry value) {
    return new SamplingOptions(
        logitBias, penalties, value, topK, typicalP, topP, minP, temperature, seed);
  }

  public SamplingOptions withTopK(int value) {
    return new SamplingOptions(
        logitBias, penalties, dry, value, typicalP, topP, minP, temperature, seed);
  }

  public SamplingOptions withTypicalP(float value) {
    return new SamplingOptions(
        logitBias, penalties, dry, topK, value, topP, minP, temperature, seed);
  }

  public SamplingOptions withTopP(float value) {
    return new SamplingOptions(
        logitBias, penalties, dry, topK, typicalP, value, minP, temperature, seed);
  }

  public SamplingOptions withMinP(float value) {
    return new SamplingOptions(
        logitBias, penalties, dry, topK, typicalP, topP, value, temperature, seed);
  }

  public SamplingOptions withTemperature(float value) {
    return new SamplingOptions(logitBias, penalties, dry, topK, typicalP, topP, minP, value, seed);
  }

  public SamplingOptions withSeed(long value) {
    return new SamplingOptions(
        logitBias, penalties, dry, topK, typicalP, topP, minP, temperature, value);
  }

  /// By itself: its own parts check their values before this class, which holds some, is there.
  private static final class Range {
    static void check(boolean good, String name, Object found, String needed) {
      if (!good) {
        throw new IllegalArgumentException("%s is %s; need %s".formatted(name, found, needed));
      }
    }
  }
}
