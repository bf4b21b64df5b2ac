package io.gatun.models.sampling;

/// How much to guess in one answer: more where guesses were right, nothing for a while where they
/// cost more than they gave, by the clock.
public final class Speculation {
  private static final int[] NONE = {};

  /// Tokens of a guess at the most: more rows are multiplied by other kernels, which sum up in
  /// another order.
  public static final int MOST = 8;

  /// Steps without a guess, to know how long one takes.
  private static final int PLAIN = 2;

  private static final int TRIALS = 4;
  private static final int FIRST_REST = 16;
  private static final int LONGEST_REST = 256;

  private final Drafter drafter;
  private int rest = PLAIN;
  private int nextRest = FIRST_REST;
  private int most = MOST / 2;
  private double plain;
  private int trials;
  private double lost;
  private long began;
  private int drafted;
  private int accepted;

  /// @param drafter null for no guesses
  public Speculation(Drafter drafter) {
    this.drafter = drafter;
  }

  /// Begins a step.
  ///
  /// @param limit tokens that are of use
  /// @return the guess
  public int[] draft(int[] tokens, int length, int limit) {
    began = System.nanoTime();
    if (drafter == null || limit < 1) {
      return NONE;
    }
    if (rest > 0) {
      rest--;
      return NONE;
    }
    return drafter.draft(tokens, length, Math.min(limit, most));
  }

  /// Ends a step of this text alone: what it costs is measured here.
  ///
  /// @param guessed tokens
  /// @param right how many of them
  public void done(int guessed, int right) {
    double took = (System.nanoTime() - began) / 1e9;
    if (guessed == 0) {
      // The first steps of a process are slow.
      plain = plain == 0 || took < plain ? took : plain + 0.1 * (took - plain);
    } else {
      done(guessed, right, took - plain, plain);
    }
  }

  /// Ends a step with a guess.
  ///
  /// @param guessed tokens
  /// @param right how many of them
  /// @param cost the seconds that the step took longer for it
  /// @param worth the seconds in which a token is written otherwise
  public void done(int guessed, int right, double cost, double worth) {
    drafted += guessed;
    accepted += right;
    most = Math.clamp(right == guessed ? most + 2L : right + 1L, 1, MOST);
    trials++;
    lost += cost - right * worth;
    if (trials >= TRIALS) {
      if (lost > 0) {
        rest = nextRest;
        nextRest = Math.min(2 * nextRest, LONGEST_REST);
      } else {
        nextRest = FIRST_REST;
      }
      trials = 0;
      lost = 0;
    }
  }

  /// Tokens that were guessed.
  public int drafted() {
    return drafted;
  }

  /// Those that were right.
  public int accepted() {
    return accepted;
  }
}
