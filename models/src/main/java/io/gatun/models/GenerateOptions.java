package io.gatun.models;

import io.gatun.models.constraint.Constraint;
import io.gatun.models.sampling.Drafter;
import io.gatun.models.sampling.SamplingOptions;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/// How an answer is generated: `llm.generate("Once", o -> o.maxTokens(64).seed(7))`.
public final class GenerateOptions {
  int maxTokens = 256;
  SamplingOptions sampling = SamplingOptions.DEFAULT;
  boolean contextShift;
  Constraint constraint;
  List<String> stop = List.of();
  Thinking thinking = Thinking.SHOW;
  Consumer<String> sink = text -> {};
  Drafter drafter;

  private GenerateOptions() {}

  static GenerateOptions chosen(Consumer<GenerateOptions> choose) {
    var options = new GenerateOptions();
    Objects.requireNonNull(choose, "what chooses the options is null").accept(options);
    return options;
  }

  /// The most tokens to write; the context may end it earlier.
  public GenerateOptions maxTokens(int value) {
    if (value < 0) {
      throw new IllegalArgumentException("max tokens is " + value + "; need at least 0");
    }
    maxTokens = value;
    return this;
  }

  /// How each token is chosen; replaces what [#seed] and [#temperature] have set.
  public GenerateOptions sampling(SamplingOptions value) {
    sampling = Objects.requireNonNull(value, "sampling is null");
    return this;
  }

  /// The random numbers' seed: the same seed gives the same text. By default each text has a new
  /// one, which [Generation#seed] tells.
  public GenerateOptions seed(long value) {
    sampling = sampling.withSeed(value);
    return this;
  }

  /// Divides the logits: less is more predictable, and 0 always takes the likeliest token.
  ///
  /// @throws IllegalArgumentException if it is negative or not finite
  public GenerateOptions temperature(float value) {
    sampling = sampling.withTemperature(value);
    return this;
  }

  /// Whether a full context does not end the answer: its older half is forgotten, the first token
  /// aside, and the rest is read again at its new place, which takes as long as reading a prompt.
  public GenerateOptions contextShift(boolean value) {
    contextShift = value;
    return this;
  }

  /// What the answer must look like; null for anything. What the model thinks before it answers is
  /// free. The answer is brought to its end within [#maxTokens] and the context if that is possible
  /// at all.
  public GenerateOptions constraint(Constraint value) {
    constraint = value;
    return this;
  }

  /// Texts that end the answer; they are not part of it.
  public GenerateOptions stop(List<String> value) {
    Objects.requireNonNull(value, "the list of stop texts is null");
    for (String text : value) {
      if (Objects.requireNonNull(text, "a stop text is null").isEmpty()) {
        throw new IllegalArgumentException("a stop text is empty; need at least one character");
      }
    }
    stop = List.copyOf(value);
    return this;
  }

  /// Whether the sink is given what the model thinks, too. [Generation#text] never has it, and
  /// [Generation#thoughts] always.
  public GenerateOptions thinking(Thinking value) {
    thinking = Objects.requireNonNull(value, "thinking is null");
    return this;
  }

  /// Guesses tokens that are read in one step, where that is faster: a [DraftModel], or
  /// [io.gatun.models.sampling.PromptLookup]. The answer is what it is without. By default nobody
  /// does. Models with recurrent layers go back to saved states after a wrong guess, which takes
  /// longer.
  public GenerateOptions drafter(Drafter value) {
    drafter = Objects.requireNonNull(value, "drafter is null");
    return this;
  }

  /// Is given the text piece by piece as it comes.
  public GenerateOptions sink(Consumer<String> value) {
    sink = Objects.requireNonNull(value, "sink is null");
    return this;
  }
}
