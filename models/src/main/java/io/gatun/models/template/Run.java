package io.gatun.models.template;

import java.time.Clock;
import java.util.concurrent.CancellationException;

/// One rendering: what it may still use up, and where it is.
///
/// Templates come from outside: whatever they say, a rendering ends within a second or two, in a
/// few dozen megabytes, and without a stack overflow. A long conversation may take more.
final class Run {
  /// As in Jinja's sandbox.
  static final int MAX_RANGE = 100_000;

  /// Of nodes of the tree, values within values, and calls, all together.
  private static final int MAX_DEPTH = 800;

  private static final long STEPS = 1_000_000;
  private static final long CHARS = 1_000_000;

  /// More steps, and more characters, for each character of the conversation.
  private static final int STEPS_PER_CHAR = 16;

  private static final int GROWTH = 4;

  /// Copying this many characters counts as a step.
  private static final int CHARS_PER_STEP = 8;

  private static final int STEPS_PER_LOOK = 1024;

  private final Clock clock;
  private final long limit;
  private final long maxChars;
  private long steps;
  private long nextLook;
  private int depth;
  private int line = 1;

  /// @param inputChars the length of all strings that the template is given
  Run(Clock clock, long inputChars) {
    this.clock = clock;
    limit = STEPS + STEPS_PER_CHAR * inputChars;
    maxChars = CHARS + GROWTH * inputChars;
  }

  Clock clock() {
    return clock;
  }

  int line() {
    return line;
  }

  void at(int newLine) {
    line = newLine;
  }

  /// Pays for work.
  ///
  /// @throws TemplateError if that is more than a template may do
  /// @throws CancellationException if the thread is interrupted
  void charge(long work) {
    steps += Math.max(work, 0);
    if (steps >= nextLook) {
      nextLook = steps + STEPS_PER_LOOK;
      if (steps > limit) {
        throw new TemplateError(
            "it takes more than %,d steps; a template that does what it should needs far fewer"
                .formatted(limit));
      }
      if (Thread.currentThread().isInterrupted()) {
        throw new CancellationException("interrupted while rendering the chat template");
      }
    }
  }

  /// Pays for looking at characters.
  void chargeChars(long chars) {
    charge(1 + chars / CHARS_PER_STEP);
  }

  /// Pays for a search, whose worst case is the product of the lengths.
  void chargeSearch(Text in, Text what) {
    long n = in.chars().length();
    charge(1 + n / CHARS_PER_STEP * (1 + what.chars().length() / 16));
  }

  /// Pays for a text that grows.
  void grow(long length, long added) {
    if (length + added > maxChars) {
      throw new TemplateError(
          "it makes a text of more than %,d characters from this conversation".formatted(maxChars));
    }
    charge(4 + added / CHARS_PER_STEP);
  }

  /// Goes a level down; [#leave] comes back.
  void enter() {
    charge(1);
    if (++depth > MAX_DEPTH) {
      throw new TemplateError("it nests more than %d levels deep".formatted(MAX_DEPTH));
    }
  }

  void leave() {
    depth--;
  }
}
