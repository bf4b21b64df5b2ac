package io.gatun.models.sampling;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The tokens that are still in the race, and their logits: at first all of the vocabulary, then
/// what a chain of [LogitsProcessor]s has left of it. Its memory lies outside the heap and serves
/// one token after the other, of any number of texts. Not for several threads at once.
///
/// A token whose logit is -Infinity or NaN is not in the race.
public final class Candidates {
  /// What is this much below the greatest logit counts as nothing in sums: 256,000 of them together
  /// have less than a part in 10^8 of its probability, which F32 logits do not tell.
  private static final float NEGLIGIBLE = 32;

  private final int size;
  private final MemorySegment logits;

  /// Logits that are looked at together: in an array, which is the fastest before all is compiled.
  private final float[] some = new float[1 << 12];

  private TokenHeap selected;

  /// Of those selected, from when it is asked for until others are selected.
  private MemorySegment weights;

  /// How many are selected; -1 while the logits alone tell who is in the race.
  private int count = -1;

  /// The greatest logit in the race; NaN if it must be looked for.
  private float max = Float.NaN;

  private float temperature = 1;

  /// @param size tokens that a model has logits for
  public Candidates(int size) {
    this.size = size;
    logits = Arena.ofAuto().allocate(JAVA_FLOAT, size);
  }

  /// The tokens that the model has logits for.
  public int size() {
    return size;
  }

  public float logit(int token) {
    return logits.getAtIndex(JAVA_FLOAT, token);
  }

  /// Changes a logit.
  ///
  /// @throws IllegalStateException if candidates have been selected: logits change before that
  public void setLogit(int token, float value) {
    if (count >= 0) {
      throw new IllegalStateException("candidates are selected; logits change before that");
    }
    logits.setAtIndex(JAVA_FLOAT, token, value);
    max = Float.NaN;
  }

  /// Rules a token out.
  ///
  /// @throws IllegalStateException as for [#setLogit]
  public void exclude(int token) {
    setLogit(token, Float.NEGATIVE_INFINITY);
  }

  /// Rules out all tokens but some.
  ///
  /// @param tokens bit `i % 64` of word `i / 64` for token i; those beyond it are ruled out
  /// @throws IllegalStateException as for [#setLogit]
  void keep(long[] tokens) {
    for (int from = 0; from < size; from += Long.SIZE) {
      int word = from / Long.SIZE;
      long kept = word < tokens.length ? tokens[word] : 0;
      int to = Math.min(size, from + Long.SIZE);
      if (kept == 0) {
        for (int i = from; i < to; i++) {
          logits.setAtIndex(JAVA_FLOAT, i, Float.NEGATIVE_INFINITY);
        }
        continue;
      }
      for (long out = ~kept; out != 0; out &= out - 1) {
        int token = from + Long.numberOfTrailingZeros(out);
        if (token < to) {
          exclude(token);
        }
      }
    }
    max = Float.NaN;
  }

  /// Begins anew with other logits.
  ///
  /// @param source F32, one for each token
  void load(MemorySegment source) {
    MemorySegment.copy(source, 0, logits, 0, logits.byteSize());
    count = -1;
    max = Float.NaN;
    temperature = 1;
  }

  /// The token with the greatest logit, the first of equals, before candidates are selected.
  ///
  /// @throws IllegalStateException if none is a finite number
  int best() {
    int best = -1;
    float greatest = Float.NEGATIVE_INFINITY;
    for (int i = 0, n; i < size; i += n) {
      n = look(i);
      for (int j = 0; j < n; j++) {
        if (some[j] > greatest) {
          greatest = some[j];
          best = i + j;
        }
      }
    }
    max = finite(greatest);
    return best;
  }

  /// Copies logits from a token on to [#some], and returns how many.
  private int look(int from) {
    int n = Math.min(some.length, size - from);
    MemorySegment.copy(logits, 4L * from, MemorySegment.ofArray(some), 0, 4L * n);
    return n;
  }

  private float finite(float greatest) {
    if (Float.isInfinite(greatest)) {
      throw new IllegalStateException(
          "the highest of the %d logits is %s; need a finite number: the model's weights or the computation are broken, or a constraint allows no token"
              .formatted(size, greatest < 0 ? "NaN or -Infinity" : "Infinity"));
    }
    return greatest;
  }

  private float max() {
    if (Float.isNaN(max)) {
      best();
    }
    return max;
  }

  /// Leaves the `k` likeliest.
  void top(int k) {
    if (count >= 0) {
      likeliestWhile((kept, _) -> kept < k);
      return;
    }
    var heap = room();
    int kept = 0;
    int i = 0;
    for (; i < size && kept < k; i++) {
      if (logit(i) > Float.NEGATIVE_INFINITY) {
        heap.set(kept++, -logit(i), ~i);
      }
    }
    // The least likely of those kept is on top.
    heap.heapify(kept);
    float least = kept > 0 ? logit(~heap.token(0)) : Float.NEGATIVE_INFINITY;
    for (int n; i < size; i += n) {
      n = look(i);
      for (int j = 0; j < n; j++) {
        if (some[j] > least) {
          heap.replaceTop(-some[j], ~(i + j), kept);
          least = logit(~heap.token(0));
        }
      }
    }
    heap.sortHeap(kept);
    for (int j = 0; j < kept; j++) {
      int token = ~heap.token(j);
      heap.set(j, logit(token), token);
    }
    count = kept;
    max = finite(kept == 0 ? Float.NEGATIVE_INFINITY : logit(heap.token(0)));
  }

  /// Leaves those that are at least this share as likely as the likeliest.
  void atLeast(float share) {
    floor((float) (max() + Math.log(share)));
  }

  /// Leaves those with at least this logit.
  private void floor(float least) {
    var heap = room();
    int kept = 0;
    if (count < 0) {
      float lowest = Math.max(least, -Float.MAX_VALUE);
      for (int i = 0; i < size; i++) {
        float logit = logit(i);
        if (logit >= lowest) {
          heap.set(kept++, logit, i);
        }
      }
    } else {
      for (int i = 0; i < count; i++) {
        if (logit(heap.token(i)) >= least) {
          heap.move(i, kept++);
        }
      }
    }
    count = kept;
  }

  /// Selects all whose probability is worth a thought.
  private void select() {
    if (count < 0) {
      floor(max() - NEGLIGIBLE * Math.max(1, temperature));
    }
  }

  /// Leaves the likeliest that together reach a share of the probability.
  void nucleus(float share) {
    select();
    double enough = share * total();
    // All that lie below this weigh less together than what may be left out.
    floor((float) (max() + Math.log((1 - share) * total() / count)));
    likeliestWhile((_, sum) -> sum < enough);
  }

  /// Leaves those whose surprise is nearest to the expected one, until they have more than a share
  /// of the probability (Meister et al. 2022, "Locally typical sampling").
  void typical(float share) {
    select();
    double total = total();
    double entropy = 0;
    for (int i = 0; i < count; i++) {
      double p = weight(i) / total;
      entropy -= p > 0 ? p * Math.log(p) : 0;
    }
    double expected = entropy - Math.log(total);
    for (int i = 0; i < count; i++) {
      int token = selected.token(i);
      selected.set(i, (float) -Math.abs(max() - logit(token) - expected), token);
    }
    likeliestWhile((_, sum) -> sum <= share * total);
    float greatest = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      int token = selected.token(i);
      selected.set(i, logit(token), token);
      greatest = Math.max(greatest, logit(token));
    }
    likeliestWhile((_, _) -> true);
    max = greatest;
  }

  private interface Goes {
    boolean on(int kept, double sum);
  }

  /// Leaves the first in the order of the keys, in that order, as long as it is not enough.
  private void likeliestWhile(Goes goes) {
    int n = count;
    selected.heapify(n);
    int kept = 0;
    for (double sum = 0; kept < n && goes.on(kept, sum); kept++) {
      sum += relative(selected.token(0));
      selected.pop(n - kept);
    }
    selected.reverse(n);
    count = kept;
  }

  /// Divides the logits, from now on, when probabilities are made of them.
  void temper(float divisor) {
    temperature *= divisor;
  }

  /// A token in proportion to its probability.
  ///
  /// @param u from 0 to below 1
  /// @throws IllegalStateException if no logit is a finite number
  int draw(double u) {
    select();
    double left = u * total();
    int chosen = -1;
    for (int i = 0; i < count && left >= 0; i++) {
      double weight = weight(i);
      if (weight > 0) { // rounding may leave a little over: then the last one is taken
        left -= weight;
        chosen = selected.token(i);
      }
    }
    return chosen;
  }

  /// The logarithm of the sum of all tokens' `exp(logit)`.
  double logSum() {
    select();
    return max() + Math.log(total());
  }

  /// How many are selected.
  int selected() {
    return count;
  }

  /// The token at a place of those selected.
  int selected(int index) {
    return selected.token(index);
  }

  /// The sum of the weights of those selected, which are kept.
  private double total() {
    if (weights == null) {
      weights = Arena.ofAuto().allocate(JAVA_DOUBLE, size);
    }
    double greatest = max();
    double total = 0;
    for (int i = 0; i < count; i++) {
      double weight = Exponential.of((logit(selected.token(i)) - greatest) / temperature);
      weights.setAtIndex(JAVA_DOUBLE, i, weight);
      total += weight;
    }
    return total;
  }

  /// The weight at a place of those selected, as [#total] found it.
  private double weight(int index) {
    return weights.getAtIndex(JAVA_DOUBLE, index);
  }

  /// How likely a token is, beside the likeliest.
  private double relative(int token) {
    return Exponential.of(((double) logit(token) - max()) / temperature);
  }

  private TokenHeap room() {
    if (selected == null) {
      selected = new TokenHeap(size);
    }
    return selected;
  }
}
