package io.gatun.search;

import java.util.ArrayList;
import java.util.List;

/// What is known of how often questions of some similarity have one answer: pairs that were
/// confirmed or refuted, of one cluster of questions.
///
/// As in vCache (arXiv 2502.03771), there is no threshold that someone chose: an answer is given
/// again where the pairs show that it is wrong no more often than a bound. That needs only that
/// more similar questions have the same answer more often: the share of right pairs among those
/// just below a similarity is then at most that at it. Of that share it is the lower end of the
/// Clopper-Pearson interval.
final class WrongHits {
  /// The part of the bound that stands for the interval's own error.
  private static final double SHARE = 0.25;

  private record Pair(double similarity, boolean same) {}

  /// By similarity, the lowest first.
  private final List<Pair> pairs = new ArrayList<>();

  /// Notes a pair that was confirmed, or refuted.
  void add(double similarity, boolean same) {
    int at = pairs.size();
    while (at > 0 && pairs.get(at - 1).similarity > similarity) {
      at--;
    }
    pairs.add(at, new Pair(similarity, same));
  }

  int size() {
    return pairs.size();
  }

  /// The probability, at least, that two questions of this similarity have the same answer.
  double right(double similarity, double bound) {
    int to = pairs.size();
    while (to > 0 && pairs.get(to - 1).similarity > similarity) {
      to--;
    }
    var below = pairs.subList(Math.max(0, to - lookedAt(bound)), to);
    int right = (int) below.stream().filter(Pair::same).count();
    return lowerEnd(right, below.size(), SHARE * bound);
  }

  /// Pairs that are looked at: twice as many as it takes if all are right. The bound alone decides,
  /// so that none are chosen for what they say.
  private static int lookedAt(double bound) {
    return (int) Math.ceil(-2 * Math.log(SHARE * bound) / bound);
  }

  /// Whether answers to questions of this similarity are wrong in `bound` of all cases at most.
  boolean isSure(double similarity, double bound) {
    return 1 - (1 - SHARE * bound) * right(similarity, bound) <= bound;
  }

  /// The lower end of the Clopper-Pearson interval of a share: where as many or more right ones
  /// have the probability `risk`.
  static double lowerEnd(int right, int all, double risk) {
    if (right == 0) {
      return 0;
    }
    double low = 0;
    double high = (double) right / all;
    for (int i = 0; i < 50; i++) {
      double middle = (low + high) / 2;
      if (atLeast(right, all, middle) > risk) {
        high = middle;
      } else {
        low = middle;
      }
    }
    return low;
  }

  /// The probability of `right` or more of `all` where each is right with probability `p`.
  private static double atLeast(int right, int all, double p) {
    double log = 0; // of the probability of all being right
    double sum = 0;
    for (int k = all; k >= right; k--) {
      if (k == all) {
        log = all * Math.log(p);
      } else {
        log += Math.log(k + 1) - Math.log(all - k) + Math.log1p(-p) - Math.log(p);
      }
      sum += Math.exp(log);
    }
    return sum;
  }
}
