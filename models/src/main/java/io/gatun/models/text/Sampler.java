package io.gatun.models.text;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.ThreadLocalRandom;

/// Chooses the next token from a model's logits, one text's worth: it remembers recent tokens and
/// its place in the random numbers. Not for several threads at once.
///
/// The order is that of llama.cpp's default chain: repeat penalty, top-k, top-p, min-p,
/// temperature, then a draw in proportion to what is left (top-p and min-p see probabilities at
/// temperature 1). Random numbers come from [SplittableRandom].
public final class Sampler {
  /// Short enough to be typed again.
  private static final long UNASKED_SEEDS = 1L << 32;

  private final SamplingOptions options;
  private final long seed;
  private final SplittableRandom random;
  private final int[] recent;
  private long accepted;
  private float[] logits = {};

  /// Tokens that are still in the race, and room for their weights.
  private int[] candidates = {};

  private double[] weights = {};

  public Sampler(SamplingOptions options) {
    this.options = options;
    seed =
        options.seed() != null
            ? options.seed()
            : ThreadLocalRandom.current().nextLong(UNASKED_SEEDS);
    random = new SplittableRandom(seed);
    recent = new int[options.repeatLastN()];
  }

  /// The seed of its random numbers: the one that the options give, or else its own.
  public long seed() {
    return seed;
  }

  /// Tells the sampler of tokens that it did not choose: a prompt, which the repeat penalty counts.
  public void accept(int... ids) {
    for (int id : ids) {
      if (recent.length > 0) {
        recent[(int) (accepted % recent.length)] = id;
      }
      accepted++;
    }
  }

  /// The next token by `logits` (one F32 for each token, contiguous), which stay as they are.
  ///
  /// @throws IllegalStateException if no logit is a finite number
  public int sample(MemorySegment logits) {
    int n = Math.toIntExact(logits.byteSize() / Float.BYTES);
    reserve(n);
    MemorySegment.copy(logits, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, this.logits, 0, n);
    return sample(n);
  }

  /// The next token by `logits` (one for each token), which stay as they are.
  ///
  /// @throws IllegalStateException if no logit is a finite number
  public int sample(float[] logits) {
    reserve(logits.length);
    System.arraycopy(logits, 0, this.logits, 0, logits.length);
    return sample(logits.length);
  }

  private void reserve(int n) {
    if (logits.length < n) {
      logits = new float[n];
      candidates = new int[n];
      weights = new double[n];
    }
  }

  private int sample(int n) {
    penalize(n);
    int best = argmax(n);
    int id = options.temperature() == 0 ? best : draw(filter(n, logits[best]), logits[best]);
    accept(id);
    return id;
  }

  private void penalize(int n) {
    if (options.repeatPenalty() == 1) {
      return;
    }
    int[] distinct =
        Arrays.stream(recent, 0, (int) Math.min(accepted, recent.length)).distinct().toArray();
    for (int id : distinct) {
      if (id >= 0 && id < n) {
        logits[id] =
            logits[id] > 0
                ? logits[id] / options.repeatPenalty()
                : logits[id] * options.repeatPenalty();
      }
    }
  }

  private int argmax(int n) {
    int best = -1;
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      if (logits[i] > max) {
        max = logits[i];
        best = i;
      }
    }
    if (best < 0 || max == Float.POSITIVE_INFINITY) {
      throw new IllegalStateException(
          "the highest of the %d logits is %s; need a finite number: the model's weights or the computation are broken"
              .formatted(n, best < 0 ? "NaN or -Infinity" : "Infinity"));
    }
    return best;
  }

  /// Fills [#candidates] with what top-k, top-p and min-p leave; returns how many those are.
  private int filter(int n, float max) {
    int count = topK(n);
    // Top-p and min-p both keep the first so many of the sorted candidates, and min-p looks at one
    // logit at a time: so it may go first, and what is left to sort is short.
    double total = 0;
    if (options.topP() < 1) {
      for (int i = 0; i < count; i++) {
        double weight = Math.exp((double) logits[candidates[i]] - max);
        total += weight > 0 ? weight : 0; // NaN is no candidate
      }
    }
    // All tokens below this floor weigh less together than what top-p may leave out.
    double floor = options.topP() < 1 ? (1 - options.topP()) * total / count : 0;
    double least = max + Math.log(Math.max(options.minP(), floor));
    int kept = 0;
    for (int i = 0; i < count; i++) {
      if (logits[candidates[i]] >= least) {
        candidates[kept++] = candidates[i];
      }
    }
    return options.topP() < 1 ? topP(kept, max, total) : kept;
  }

  private int topP(int count, float max, double total) {
    sortByLogit(count);
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += Math.exp((double) logits[candidates[i]] - max);
      if (sum >= options.topP() * total) {
        return i + 1;
      }
    }
    return count;
  }

  /// The `topK` highest of `n` logits, by a heap of that size with the lowest on top.
  private int topK(int n) {
    int k = options.topK() == 0 ? n : Math.min(options.topK(), n);
    for (int i = 0; i < k; i++) {
      candidates[i] = i;
    }
    if (k < n) {
      for (int i = k / 2 - 1; i >= 0; i--) {
        sink(i, k);
      }
      for (int i = k; i < n; i++) {
        if (before(i, candidates[0])) {
          candidates[0] = i;
          sink(0, k);
        }
      }
    }
    return k;
  }

  private void sortByLogit(int count) {
    for (int i = count / 2 - 1; i >= 0; i--) {
      sink(i, count);
    }
    for (int end = count - 1; end > 0; end--) {
      int lowest = candidates[0];
      candidates[0] = candidates[end];
      candidates[end] = lowest;
      sink(0, end);
    }
  }

  /// Restores the heap from `i` down: a parent is never before its children in the order.
  private void sink(int i, int size) {
    int id = candidates[i];
    for (int child = 2 * i + 1; child < size; child = 2 * i + 1) {
      if (child + 1 < size && before(candidates[child], candidates[child + 1])) {
        child++;
      }
      if (!before(id, candidates[child])) {
        break;
      }
      candidates[i] = candidates[child];
      i = child;
    }
    candidates[i] = id;
  }

  /// Whether `a` is more probable than `b`; of equals the lower id is. NaN comes last.
  private boolean before(int a, int b) {
    float x = logits[a];
    float y = logits[b];
    if (Float.isNaN(x) || Float.isNaN(y)) {
      return Float.isNaN(y) && (!Float.isNaN(x) || a < b);
    }
    return x > y || (x == y && a < b);
  }

  private int draw(int count, float max) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      double weight = Math.exp(((double) logits[candidates[i]] - max) / options.temperature());
      weights[i] = weight > 0 ? weight : 0;
      sum += weights[i];
    }
    double left = random.nextDouble() * sum;
    int chosen = -1;
    for (int i = 0; i < count && left >= 0; i++) {
      if (weights[i] > 0) { // rounding may leave a little over: then the last one is taken
        left -= weights[i];
        chosen = candidates[i];
      }
    }
    return chosen;
  }
}
