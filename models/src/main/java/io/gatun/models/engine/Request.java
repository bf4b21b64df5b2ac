package io.gatun.models.engine;

import io.gatun.models.constraint.Constraint;
import io.gatun.models.sampling.Drafter;
import io.gatun.models.sampling.SamplingOptions;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// What an engine is asked for: `Request.of(prompt).maxTokens(64).sampling(GREEDY)`. It cannot be
/// changed; each method returns another.
public final class Request implements Cloneable {
  private int[] prompt;
  private int maxTokens = 256;
  private SamplingOptions sampling = SamplingOptions.DEFAULT;
  private List<String> stop = List.of();
  private Constraint constraint;
  private int logprobs = -1;
  private boolean promptLogprobs;
  private Duration timeout;
  private boolean ignoreEnd;
  private boolean cache = true;
  private Supplier<? extends Drafter> drafter;

  private Request(int[] prompt) {
    this.prompt = prompt.clone();
    if (prompt.length == 0) {
      throw new IllegalArgumentException("the prompt is empty; need at least one token");
    }
  }

  /// Up to 256 tokens that go on from these, chosen by [SamplingOptions#DEFAULT].
  ///
  /// @throws IllegalArgumentException if there are none
  public static Request of(int... prompt) {
    return new Request(prompt);
  }

  private Request with(Consumer<Request> change) {
    try {
      var copy = (Request) clone();
      change.accept(copy);
      return copy;
    } catch (CloneNotSupportedException e) {
      throw new AssertionError(e);
    }
  }

  private static void check(boolean good, String name, Object found, String needed) {
    if (!good) {
      throw new IllegalArgumentException("%s is %s; need %s".formatted(name, found, needed));
    }
  }

  /// The tokens to go on from.
  public int[] prompt() {
    return prompt.clone();
  }

  /// The most tokens to write; the context may end it earlier. With 0 the prompt is read and
  /// nothing is written.
  public Request maxTokens(int value) {
    check(value >= 0, "max tokens", value, "0 or more");
    return with(r -> r.maxTokens = value);
  }

  public int maxTokens() {
    return maxTokens;
  }

  /// How each token is chosen.
  public Request sampling(SamplingOptions value) {
    Objects.requireNonNull(value, "sampling is null");
    return with(r -> r.sampling = value);
  }

  public SamplingOptions sampling() {
    return sampling;
  }

  /// Texts that end the answer; they are not part of it.
  public Request stop(List<String> value) {
    check(value.stream().noneMatch(String::isEmpty), "a stop text", "empty", "a character or more");
    var copy = List.copyOf(value);
    return with(r -> r.stop = copy);
  }

  public List<String> stop() {
    return stop;
  }

  /// What the answer must look like; null for anything. What the model thinks before it answers is
  /// free. The answer is brought to its end within [#maxTokens] and the context if that is possible
  /// at all.
  public Request constraint(Constraint value) {
    return with(r -> r.constraint = value);
  }

  public Constraint constraint() {
    return constraint;
  }

  /// How many of the likeliest tokens are told with each token, and how likely these and the token
  /// itself were; -1 for no such figures.
  public Request logprobs(int value) {
    check(value >= -1, "logprobs", value, "0 or more, or -1 for none");
    return with(r -> r.logprobs = value);
  }

  public int logprobs() {
    return logprobs;
  }

  /// Whether [Result#promptLogprobs] tells how likely the tokens of the prompt were, with as many
  /// others as [#logprobs] says. Such a prompt is read in whole: the cache of prefixes does not
  /// help.
  public Request promptLogprobs(boolean value) {
    return with(r -> r.promptLogprobs = value);
  }

  public boolean promptLogprobs() {
    return promptLogprobs;
  }

  /// After so long, counted from [Engine#submit], it ends as it is; null for no end.
  public Request timeout(Duration value) {
    check(value == null || !value.isNegative(), "timeout", value, "0 or more");
    return with(r -> r.timeout = value);
  }

  public Duration timeout() {
    return timeout;
  }

  /// Whether the model's own end of an answer is a token like any other.
  public Request ignoreEnd(boolean value) {
    return with(r -> r.ignoreEnd = value);
  }

  public boolean ignoreEnd() {
    return ignoreEnd;
  }

  /// Whether the cache of prefixes is used for it.
  public Request cache(boolean value) {
    return with(r -> r.cache = value);
  }

  public boolean cache() {
    return cache;
  }

  /// Makes what guesses tokens of this answer, that are read in one step where that is faster; null
  /// for the one that [EngineOptions#drafter] names. It is closed at the end.
  public Request drafter(Supplier<? extends Drafter> value) {
    return with(r -> r.drafter = value);
  }

  public Supplier<? extends Drafter> drafter() {
    return drafter;
  }

  /// `Request(12 tokens, up to 256 more)`.
  @Override
  public String toString() {
    return "Request(%d tokens, up to %d more)".formatted(prompt.length, maxTokens);
  }
}
