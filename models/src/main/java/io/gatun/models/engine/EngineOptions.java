package io.gatun.models.engine;

import io.gatun.models.sampling.Drafter;
import java.time.Duration;
import java.util.function.Supplier;

/// How an engine works: `Engine.open(llm, o -> o.parallel(16).memory(4L << 30))`.
public final class EngineOptions {
  int parallel = 8;
  int queue = 64;
  long memory = 2L << 30;
  double pace = 1.75;
  int chunk = 512;
  Duration ageLimit = Duration.ofSeconds(5);
  boolean prefixCache = true;
  boolean batchInvariant;
  Supplier<? extends Drafter> drafter;

  EngineOptions() {}

  /// The most answers that are computed at once; by default 8.
  public EngineOptions parallel(int value) {
    parallel = atLeast("parallel", value, 1);
    return this;
  }

  /// The most requests that wait; by default 64. One more is refused ([EngineFullException]).
  public EngineOptions queue(int value) {
    queue = atLeast("queue", value, 0);
    return this;
  }

  /// The most bytes that the caches of all answers and of prefixes take together; by default 2 GiB.
  public EngineOptions memory(long value) {
    if (value < 1) {
      throw new IllegalArgumentException("memory is " + value + "; need at least 1 byte");
    }
    memory = value;
    return this;
  }

  /// How many times longer a step should take at the most because prompts are read in it, while
  /// answers are being written; by default 1.75. Less keeps answers even, more reads prompts
  /// sooner.
  public EngineOptions pace(double value) {
    if (!(value > 1) || value > 1000) {
      throw new IllegalArgumentException(
          "pace is " + value + "; need more than 1 and at most 1000");
    }
    pace = value;
    return this;
  }

  /// The most prompt tokens that are read in one step; by default 512.
  public EngineOptions chunk(int value) {
    chunk = atLeast("chunk", value, 1);
    return this;
  }

  /// How long a request may be passed over for others that have more of their prompt in the cache;
  /// by default 5 seconds.
  public EngineOptions ageLimit(Duration value) {
    if (value.isNegative()) {
      throw new IllegalArgumentException("ageLimit is " + value + "; need 0 or more");
    }
    ageLimit = value;
    return this;
  }

  /// Whether what was read stays in memory, as long as there is room, for requests that begin with
  /// the same tokens; by default it does.
  public EngineOptions prefixCache(boolean value) {
    prefixCache = value;
    return this;
  }

  /// Whether an answer is the same, bit for bit, whatever else runs; by default it is not, as rows
  /// are summed up in another order in large steps than in small ones.
  ///
  /// It costs: prompts are read one at a time, in chunks at fixed positions and in steps of their
  /// own, which keep running answers waiting for longer, and many answers are written no faster per
  /// token than few.
  public EngineOptions batchInvariant(boolean value) {
    batchInvariant = value;
    return this;
  }

  /// Makes what guesses tokens of an answer, which are read in one step where that is faster:
  /// `PromptLookup::new`, or `() -> new DraftModel(llm, small)`, each of which has a cache of its
  /// own. Each request may name another one. By default nobody does. Answers are what they are
  /// without.
  public EngineOptions drafter(Supplier<? extends Drafter> value) {
    drafter = value;
    return this;
  }

  private static int atLeast(String name, int value, int least) {
    if (value < least) {
      throw new IllegalArgumentException(
          "%s is %d; need at least %d".formatted(name, value, least));
    }
    return value;
  }
}
