package io.gatun.models;

import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.Matcher;
import io.gatun.models.sampling.TokenMask;
import io.gatun.models.text.AnswerText;
import io.gatun.models.text.Tokenizer;
import java.util.Arrays;
import java.util.List;

/// A constraint on an answer, which leaves what the model thinks before it free.
final class AnswerConstraint implements TokenMask {
  private final Matcher matcher;
  private final AnswerText text;
  private final long[] all;
  private int rest;
  private boolean begun;

  /// @param vocabulary how many tokens the model has
  /// @param prompt what the answer goes on from: it may have begun a thought
  /// @param most how many tokens there may be, thoughts included
  AnswerConstraint(
      Constraint constraint, Tokenizer tokenizer, int vocabulary, int[] prompt, int most) {
    matcher = constraint.start(tokenizer);
    text = new AnswerText(tokenizer, prompt, List.of(), new Nowhere());
    begun = text.isAnswering();
    rest = most;
    all = new long[vocabulary + Long.SIZE - 1 >> 6];
    Arrays.fill(all, -1);
  }

  private static final class Nowhere implements AnswerText.Sink {
    @Override
    public void thought(String piece) {}

    @Override
    public void answer(String piece) {}
  }

  @Override
  public long[] allowed() {
    return begun ? matcher.allowed(rest) : all;
  }

  @Override
  public void accept(int token) {
    rest--;
    if (begun) {
      matcher.accept(token);
    } else {
      text.push(token);
      begun = text.isAnswering();
    }
  }

  @Override
  public boolean finished() {
    return begun && matcher.finished();
  }
}
