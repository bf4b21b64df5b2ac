package io.gatun.models.constraint;

import io.gatun.models.constraint.States.State;
import io.gatun.models.sampling.TokenMask;
import java.util.ArrayList;
import java.util.List;

/// One text that is written token by token and follows a [Constraint]. Not for several threads at
/// once.
public final class Matcher implements TokenMask {
  private static final int NO_LIMIT = Integer.MAX_VALUE;

  private final Constraint constraint;
  private final Masks masks;
  private final List<State> states; // after each token
  private boolean ended;
  private int limit = NO_LIMIT;

  Matcher(Constraint constraint, Masks masks) {
    this(constraint, masks, new ArrayList<>(List.of(masks.start())), false);
  }

  private Matcher(Constraint constraint, Masks masks, List<State> states, boolean ended) {
    this.constraint = constraint;
    this.masks = masks;
    this.states = states;
    this.ended = ended;
  }

  private State state() {
    return states.getLast();
  }

  /// The tokens that may come next, bit `id % 64` of element `id / 64` for each; tokens that end an
  /// answer are among them if the text may end here. Ids beyond the array may not come. The array
  /// is kept: it must not be changed. After [#within] they are those of [#allowed(int)]. If none is
  /// there the text is at its end.
  ///
  /// @throws ConstraintException if the text is not at its end, but the vocabulary cannot spell
  ///   what may follow
  @Override
  public long[] allowed() {
    return limit == NO_LIMIT ? checked(masks.mask(state())) : allowed(limit - length());
  }

  /// Those of [#allowed()] after which the text can end within `rest` tokens, this one counted and
  /// one that ends the answer not. If there are none, for `rest` is too few, those that bring it
  /// closest to its end.
  ///
  /// @throws ConstraintException as [#allowed()]
  public long[] allowed(int rest) {
    return checked(masks.mask(state(), rest));
  }

  private long[] checked(long[] mask) {
    if (ended) {
      return new long[0];
    }
    for (long some : mask) {
      if (some != 0) {
        return mask;
      }
    }
    if (mayEnd()) {
      return mask;
    }
    throw new ConstraintException(
        "no token of the model's vocabulary may follow here by the %s: it lacks a character that is needed"
            .formatted(constraint));
  }

  /// Whether a token may come next.
  public boolean allows(int token) {
    if (ended || token < 0 || token >= masks.vocabulary().size()) {
      return false;
    }
    return masks.vocabulary().isEnd(token) ? state().mayEnd : after(token) != null;
  }

  private State after(int token) {
    byte[] bytes = masks.vocabulary().bytes(token);
    return bytes == null ? null : masks.next(state(), bytes);
  }

  /// Has the text end after `tokens` tokens at most, those that it has counted and one that ends
  /// the answer not: see [#allowed(int)].
  public Matcher within(int tokens) {
    limit = tokens;
    return this;
  }

  /// Adds a token to the text.
  ///
  /// @throws IllegalArgumentException if it may not come here; the text is then as it was before
  @Override
  public void accept(int token) {
    if (!allows(token)) {
      throw new IllegalArgumentException(
          "token %d may not come here by the %s".formatted(token, constraint));
    }
    boolean end = masks.vocabulary().isEnd(token);
    states.add(end ? state() : after(token));
    ended = end;
  }

  /// The tokens that come next where only one text may follow, up to `most`: a guess, for that text
  /// can be cut into tokens in several ways.
  public int[] forced(int most) {
    return ended ? new int[0] : masks.forced(state(), most);
  }

  /// Whether the text is whole as it is.
  public boolean mayEnd() {
    return state().mayEnd;
  }

  /// Whether the text is whole and nothing but its end may follow.
  @Override
  public boolean finished() {
    return ended || (state().mayEnd && state().isLast());
  }

  /// How many tokens it takes at most to end the text.
  public int tokensToEnd() {
    return state().cost;
  }

  /// The tokens that were accepted.
  public int length() {
    return states.size() - 1;
  }

  /// Takes the last `tokens` tokens back.
  ///
  /// @throws IllegalArgumentException if there are fewer
  public void rollback(int tokens) {
    if (tokens < 0 || tokens > length()) {
      throw new IllegalArgumentException(
          "cannot take back %d of %d tokens".formatted(tokens, length()));
    }
    if (tokens > 0) {
      states.subList(states.size() - tokens, states.size()).clear();
      ended = false;
    }
  }

  /// Another text that begins like this one.
  public Matcher fork() {
    return new Matcher(constraint, masks, new ArrayList<>(states), ended).within(limit);
  }

  /// `Matcher(12 tokens of JSON schema)`.
  @Override
  public String toString() {
    return "Matcher(%d tokens of %s)".formatted(length(), constraint);
  }
}
