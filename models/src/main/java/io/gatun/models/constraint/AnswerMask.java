package io.gatun.models.constraint;

import io.gatun.models.sampling.Drafter;
import io.gatun.models.sampling.TokenMask;
import io.gatun.models.text.AnswerText;
import io.gatun.models.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/// A constraint on an answer. What the model thinks before it answers is free, and so is what comes
/// before the trigger of a constraint that [waits for one][Constraint#after], and around the parts
/// that others [know][Constraint#wherever]: from the beginning, or from an
/// [opening][Constraint#orOpenedBy] on. Not for several threads at once.
public final class AnswerMask implements TokenMask, Drafter {
  private enum State {
    /// The model thinks, or says what kind of message follows.
    THINKING,
    /// The token that the constraint waits for has not come.
    WAITING,
    /// Nothing that the constraint knows has been written just now.
    WATCHING,
    /// The answer may begin, or yet a thought.
    BEGINNING,
    MATCHING
  }

  /// So much of what was written is kept to look for triggers in.
  private static final int TAIL = 512;

  /// Stands for what is not kept: no answer begins with it.
  private static final char CUT = '\uFFFF';

  private final Tokenizer tokenizer;
  private final List<Constraint.Trigger> triggers;
  private final StringBuilder tail = new StringBuilder();
  private Matcher matcher;
  private final AnswerText text;
  private final int trigger;
  private int[] thoughtMarks;
  private final int[] openings;

  /// Whether the matcher's is a part of the text only.
  private boolean isPart;

  private final long[] all;
  private State state;
  private int rest;

  /// @param vocabulary how many tokens the model has
  /// @param prompt what the answer goes on from: it may have begun a thought
  /// @param most how many tokens there may be, thoughts included; the text is brought to its end
  ///   within these if that is possible
  public AnswerMask(
      Constraint constraint, Tokenizer tokenizer, int vocabulary, int[] prompt, int most) {
    this.tokenizer = tokenizer;
    triggers = constraint.triggers();
    trigger = constraint.triggerToken(tokenizer);
    matcher =
        trigger >= 0 ? constraint.afterTrigger().start(tokenizer) : constraint.start(tokenizer);
    text = new AnswerText(tokenizer, prompt, List.of(), new Nowhere());
    thoughtMarks = text.thoughtMarks();
    openings =
        constraint.openings().stream()
            .map(tokenizer::id)
            .flatMapToInt(OptionalInt::stream)
            .toArray();
    rest = most;
    all = new long[vocabulary + Long.SIZE - 1 >> 6];
    Arrays.fill(all, -1);
    state =
        constraint.isFree()
            ? State.WATCHING
            : !text.isAnswering()
                ? State.THINKING
                : thoughtMarks.length > 0 ? State.BEGINNING : begins();
  }

  private State begins() {
    return openings.length > 0 ? State.BEGINNING : begun();
  }

  private State begun() {
    return trigger >= 0 ? State.WAITING : State.MATCHING;
  }

  private static final class Nowhere implements AnswerText.Sink {
    @Override
    public void thought(String piece) {}

    @Override
    public void answer(String piece) {}
  }

  @Override
  public long[] allowed() {
    return switch (state) {
      case THINKING, WAITING, WATCHING -> all;
      case MATCHING -> matcher.allowed(rest);
      case BEGINNING -> {
        if (trigger >= 0) {
          yield all;
        }
        long[] allowed = Arrays.copyOf(matcher.allowed(rest), all.length);
        for (int[] marks : List.of(thoughtMarks, openings)) {
          for (int mark : marks) {
            allowed[mark >> 6] |= 1L << mark;
          }
        }
        yield allowed;
      }
    };
  }

  @Override
  public void accept(int token) {
    rest--;
    if (state == State.BEGINNING) {
      state =
          isAmong(thoughtMarks, token)
              ? State.THINKING
              : isAmong(openings, token) ? State.WATCHING : begun();
    }
    switch (state) {
      case THINKING -> {
        text.push(token);
        if (text.isAnswering()) {
          thoughtMarks = new int[0]; // one thought is enough
          state = begins();
        }
        watch(token);
      }
      case WAITING -> state = token == trigger ? State.MATCHING : state;
      case WATCHING -> {
        text.push(token);
        watch(token);
      }
      default -> {
        matcher.accept(token);
        if (isPart) {
          text.push(token);
          state = matcher.finished() ? State.WATCHING : state;
        }
      }
    }
  }

  private static boolean isAmong(int[] marks, int token) {
    return Arrays.stream(marks).anyMatch(mark -> mark == token);
  }

  private void watch(int token) {
    if (triggers.isEmpty() || !tokenizer.has(token)) {
      return;
    }
    tail.append(
        tokenizer.isSpecial(token)
            ? tokenizer.piece(token)
            : new String(tokenizer.bytes(token), StandardCharsets.UTF_8));
    if (tail.length() > TAIL) {
      tail.delete(1, tail.length() - TAIL).setCharAt(0, CUT);
    }
    for (var each : triggers) {
      if ((each.inThoughts() || text.isAnswering()) && each.before().matcher(tail).find()) {
        matcher = each.then().start(tokenizer);
        isPart = true;
        state = State.MATCHING;
        tail.setLength(0);
        return;
      }
    }
  }

  /// Guesses where only one text may follow.
  @Override
  public int[] draft(int[] tokens, int length, int most) {
    return state == State.MATCHING ? matcher.forced(most) : new int[0];
  }

  @Override
  public boolean finished() {
    return state == State.MATCHING && matcher.finished();
  }
}
