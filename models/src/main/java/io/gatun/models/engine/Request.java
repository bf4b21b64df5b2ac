package io.gatun.models.engine;

import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.sampling.TokenMask;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/// What an engine is asked for: `Request.of(prompt).maxTokens(64).sampling(GREEDY)`. It cannot be
/// changed; each method returns another.
///
/// @param prompt the tokens to go on from
/// @param maxTokens the most tokens to write; the context may end it earlier
/// @param sampling how each is chosen
/// @param stop texts that end the answer; they are not part of it
/// @param constraint makes what tells which tokens are allowed, for one answer; null for none
/// @param logprobs how many of the likeliest tokens are told with each token, and how likely these
///   and the token itself were; -1 for no such figures
/// @param timeout after so long, counted from [Engine#submit], it ends as it is; null for no end
/// @param ignoreEnd whether the model's own end of an answer is a token like any other
/// @param cache whether the cache of prefixes is used for it
@SuppressWarnings("ArrayRecordComponent") // copied, and not compared
public record Request(
    int[] prompt,
    int maxTokens,
    SamplingOptions sampling,
    List<String> stop,
    Supplier<? extends TokenMask> constraint,
    int logprobs,
    Duration timeout,
    boolean ignoreEnd,
    boolean cache) {
  /// @throws IllegalArgumentException if a value is outside its range
  public Request {
    prompt = prompt.clone();
    stop = List.copyOf(stop);
    Objects.requireNonNull(sampling, "sampling is null");
    if (prompt.length == 0) {
      throw new IllegalArgumentException("the prompt is empty; need at least one token");
    }
    if (maxTokens < 1) {
      throw new IllegalArgumentException("max tokens is " + maxTokens + "; need at least 1");
    }
    if (logprobs < -1) {
      throw new IllegalArgumentException(
          "logprobs is " + logprobs + "; need 0 or more, or -1 for none");
    }
    if (stop.stream().anyMatch(String::isEmpty)) {
      throw new IllegalArgumentException("a stop text is empty; need at least one character");
    }
    if (timeout != null && timeout.isNegative()) {
      throw new IllegalArgumentException("timeout is " + timeout + "; need 0 or more");
    }
  }

  /// Up to 256 tokens, chosen by [SamplingOptions#DEFAULT].
  public static Request of(int... prompt) {
    return new Request(
        prompt, 256, SamplingOptions.DEFAULT, List.of(), null, -1, null, false, true);
  }

  @Override
  public int[] prompt() {
    return prompt.clone();
  }

  public Request maxTokens(int value) {
    return new Request(
        prompt, value, sampling, stop, constraint, logprobs, timeout, ignoreEnd, cache);
  }

  public Request sampling(SamplingOptions value) {
    return new Request(
        prompt, maxTokens, value, stop, constraint, logprobs, timeout, ignoreEnd, cache);
  }

  public Request stop(List<String> value) {
    return new Request(
        prompt, maxTokens, sampling, value, constraint, logprobs, timeout, ignoreEnd, cache);
  }

  public Request constraint(Supplier<? extends TokenMask> value) {
    return new Request(
        prompt, maxTokens, sampling, stop, value, logprobs, timeout, ignoreEnd, cache);
  }

  public Request logprobs(int value) {
    return new Request(
        prompt, maxTokens, sampling, stop, constraint, value, timeout, ignoreEnd, cache);
  }

  public Request timeout(Duration value) {
    return new Request(
        prompt, maxTokens, sampling, stop, constraint, logprobs, value, ignoreEnd, cache);
  }

  public Request ignoreEnd(boolean value) {
    return new Request(
        prompt, maxTokens, sampling, stop, constraint, logprobs, timeout, value, cache);
  }

  public Request cache(boolean value) {
    return new Request(
        prompt, maxTokens, sampling, stop, constraint, logprobs, timeout, ignoreEnd, value);
  }
}
