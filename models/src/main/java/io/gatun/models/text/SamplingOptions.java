package io.gatun.models.text;

/// How the next token is chosen; see [Sampler] for the order in which these apply.
///
/// @param temperature divides the logits; 0 takes the most probable token, whatever else is set
/// @param topK keeps the `topK` most probable tokens; 0 keeps all
/// @param topP keeps the most probable tokens that together reach this probability; 1 keeps all
/// @param minP keeps tokens at least this share as probable as the most probable one; 0 keeps all
/// @param repeatPenalty divides the positive logits of recent tokens and multiplies the negative
///   ones; 1 does nothing
/// @param repeatLastN how many recent tokens [#repeatPenalty] looks at
/// @param seed the random numbers' seed: the same seed and logits give the same tokens; null draws
///   a new one for each text, which [Sampler#seed] tells
public record SamplingOptions(
    float temperature,
    int topK,
    float topP,
    float minP,
    float repeatPenalty,
    int repeatLastN,
    Long seed) {
  /// The most probable token, always.
  public static final SamplingOptions GREEDY = new SamplingOptions(0, 0, 1, 0, 1, 64, null);

  /// llama.cpp's defaults: temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, no penalty, and a new
  /// seed for each text.
  public static final SamplingOptions DEFAULT =
      new SamplingOptions(.8f, 40, .95f, .05f, 1, 64, null);

  /// @throws IllegalArgumentException if a value is outside its range
  public SamplingOptions {
    check(temperature >= 0 && Float.isFinite(temperature), "temperature", temperature, "0 or more");
    check(topK >= 0, "top-k", topK, "0 (all tokens) or more");
    check(topP > 0 && topP <= 1, "top-p", topP, "above 0 and at most 1");
    check(minP >= 0 && minP <= 1, "min-p", minP, "0 to 1");
    check(
        repeatPenalty > 0 && Float.isFinite(repeatPenalty),
        "repeat penalty",
        repeatPenalty,
        "above 0; 1 does nothing");
    check(repeatLastN >= 0, "repeat last-n", repeatLastN, "0 or more");
  }

  public SamplingOptions withTemperature(float value) {
    return new SamplingOptions(value, topK, topP, minP, repeatPenalty, repeatLastN, seed);
  }

  public SamplingOptions withTopK(int value) {
    return new SamplingOptions(temperature, value, topP, minP, repeatPenalty, repeatLastN, seed);
  }

  public SamplingOptions withTopP(float value) {
    return new SamplingOptions(temperature, topK, value, minP, repeatPenalty, repeatLastN, seed);
  }

  public SamplingOptions withMinP(float value) {
    return new SamplingOptions(temperature, topK, topP, value, repeatPenalty, repeatLastN, seed);
  }

  public SamplingOptions withRepeatPenalty(float value, int lastN) {
    return new SamplingOptions(temperature, topK, topP, minP, value, lastN, seed);
  }

  public SamplingOptions withSeed(long value) {
    return new SamplingOptions(temperature, topK, topP, minP, repeatPenalty, repeatLastN, value);
  }

  private static void check(boolean good, String name, Number found, String needed) {
    if (!good) {
      throw new IllegalArgumentException("%s is %s; need %s".formatted(name, found, needed));
    }
  }
}
