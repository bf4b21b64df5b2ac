package io.gatun.models;

import io.gatun.models.constraint.Matcher;
import io.gatun.models.sampling.TokenMask;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;

/// A constraint on an answer, which leaves what the model thinks before it free.
final class AnswerConstraint implements TokenMask {
  private final Matcher matcher;
  private final BooleanSupplier answering;
  private final IntSupplier rest;
  private final long[] all;
  private boolean begun;

  /// @param vocabulary how many tokens there are
  /// @param answering whether the next token is one of the answer
  /// @param rest how many more tokens there may be
  AnswerConstraint(Matcher matcher, int vocabulary, BooleanSupplier answering, IntSupplier rest) {
    this.matcher = matcher;
    this.answering = answering;
    this.rest = rest;
    all = new long[vocabulary + Long.SIZE - 1 >> 6];
    Arrays.fill(all, -1);
  }

  @Override
  public long[] allowed() {
    begun |= answering.getAsBoolean();
    return begun ? matcher.allowed(rest.getAsInt()) : all;
  }

  @Override
  public void accept(int token) {
    if (begun) {
      matcher.accept(token);
    }
  }

  @Override
  public boolean finished() {
    return begun && matcher.finished();
  }
}
