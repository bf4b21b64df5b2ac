package io.gatun.models.constraint.expr;

import io.gatun.models.constraint.ConstraintException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// A set of texts as a deterministic automaton over characters: what is needed to tell whether sets
/// meet, and to take one from another. State 0 is the first; every state leads to an end.
public final class CharDfa {
  private static final int MOST_STATES = 20_000;
  private static final int MOST_STEPS = 4_000_000;

  /// All texts.
  public static final CharDfa ANY = of(Expr.any(new Expr.Chars(CodePoints.ALL)));

  private final int[] bounds; // where the classes of characters begin; the first is 0
  private final List<int[]> next; // for each state and class, or -1
  private final BitSet accepting;

  private CharDfa(int[] bounds, List<int[]> next, BitSet accepting) {
    this.bounds = bounds;
    this.next = next;
    this.accepting = accepting;
    prune();
  }

  private interface Accepts {
    boolean test(boolean a, boolean b);
  }

  /// The texts of an expression without calls.
  public static CharDfa of(Expr expr) {
    return new Builder().build(expr);
  }

  /// Exactly these texts.
  public static CharDfa of(List<String> texts) {
    return of(new Expr.Choice(texts.stream().map(Expr::text).toList()));
  }

  /// Texts by their number of characters.
  ///
  /// @param max the most, or [Expr#UNBOUNDED]
  public static CharDfa length(int min, int max) {
    if (Math.max(min, max) >= MOST_STATES) {
      throw tooLarge();
    }
    return of(new Expr.Repeat(new Expr.Chars(CodePoints.ALL), min, max));
  }

  /// Decimal integers that a number divides.
  public static CharDfa remainders(int divisor) {
    int[] bounds = new int[13]; // what comes before '-', '-', '.' and '/', ten digits
    bounds[1] = '-';
    bounds[2] = '.';
    for (int digit = 0; digit < 10; digit++) {
      bounds[3 + digit] = '0' + digit;
    }
    bounds = Arrays.copyOf(bounds, 14);
    bounds[13] = '9' + 1;
    var next = new ArrayList<int[]>();
    var accepting = new BitSet();
    for (int state = 0; state <= divisor; state++) { // the first, then one for each remainder
      var to = new int[bounds.length];
      Arrays.fill(to, -1);
      to[1] = state == 0 ? 0 : -1;
      for (int digit = 0; digit < 10; digit++) {
        to[3 + digit] = 1 + (10 * Math.max(0, state - 1) + digit) % divisor;
      }
      next.add(to);
    }
    accepting.set(1);
    return new CharDfa(bounds, next, accepting);
  }

  private static ConstraintException tooLarge() {
    return new ConstraintException(
        "a pattern is too large: alone, or with the other patterns and lengths beside it, it needs more than %,d states. Use fewer or shorter repetitions"
            .formatted(MOST_STATES));
  }

  public CharDfa and(CharDfa other) {
    return product(other, (a, b) -> a && b);
  }

  public CharDfa or(CharDfa other) {
    return product(other, (a, b) -> a || b);
  }

  public CharDfa minus(CharDfa other) {
    return product(other, (a, b) -> a && !b);
  }

  public boolean isEmpty() {
    return next.isEmpty();
  }

  public boolean matches(String text) {
    int state = isEmpty() ? -1 : 0;
    for (int c : text.codePoints().toArray()) {
      state = state < 0 ? -1 : next.get(state)[classOf(bounds, c)];
    }
    return state >= 0 && accepting.get(state);
  }

  public int size() {
    return next.size();
  }

  public boolean accepts(int state) {
    return accepting.get(state);
  }

  /// Where a state leads, and with which characters.
  public Map<Integer, CodePoints> steps(int state) {
    var ranges = new HashMap<Integer, List<int[]>>();
    int[] to = next.get(state);
    for (int i = 0; i < to.length; i++) {
      if (to[i] >= 0) {
        int last = i + 1 < to.length ? bounds[i + 1] - 1 : 0x10FFFF;
        ranges.computeIfAbsent(to[i], _ -> new ArrayList<>()).add(new int[] {bounds[i], last});
      }
    }
    var steps = new HashMap<Integer, CodePoints>();
    ranges.forEach((state2, list) -> steps.put(state2, CodePoints.of(list)));
    return steps;
  }

  private static int classOf(int[] bounds, int c) {
    int i = Arrays.binarySearch(bounds, c);
    return i >= 0 ? i : -i - 2;
  }

  private CharDfa product(CharDfa other, Accepts accepts) {
    var all = new TreeSet<Integer>();
    for (int[] some : List.of(bounds, other.bounds)) {
      Arrays.stream(some).forEach(all::add);
    }
    int[] classes = all.stream().mapToInt(i -> i).toArray();
    var numbers = new HashMap<Long, Integer>();
    var pairs = new ArrayList<int[]>();
    var steps = new ArrayList<int[]>();
    var ends = new BitSet();
    number(isEmpty() ? -1 : 0, other.isEmpty() ? -1 : 0, numbers, pairs);
    for (int state = 0; state < pairs.size(); state++) {
      int[] pair = pairs.get(state);
      boolean a = pair[0] >= 0 && accepting.get(pair[0]);
      ends.set(state, accepts.test(a, pair[1] >= 0 && other.accepting.get(pair[1])));
      var to = new int[classes.length];
      for (int i = 0; i < to.length; i++) {
        int left = pair[0] < 0 ? -1 : next.get(pair[0])[classOf(bounds, classes[i])];
        int right = pair[1] < 0 ? -1 : other.next.get(pair[1])[classOf(other.bounds, classes[i])];
        // Without the left, only a union goes on; without either, nothing does.
        boolean dead = left < 0 && (right < 0 || !accepts.test(false, true));
        dead |= right < 0 && !accepts.test(true, false);
        to[i] = dead ? -1 : number(left, right, numbers, pairs);
      }
      steps.add(to);
      if (pairs.size() > MOST_STATES || (long) steps.size() * to.length > MOST_STEPS) {
        throw tooLarge();
      }
    }
    return new CharDfa(classes, steps, ends);
  }

  private static int number(int a, int b, Map<Long, Integer> numbers, List<int[]> pairs) {
    return numbers.computeIfAbsent(
        (long) a << 32 | b & 0xFFFFFFFFL,
        _ -> {
          pairs.add(new int[] {a, b});
          return pairs.size() - 1;
        });
  }

  /// Removes states from which no end can be reached.
  private void prune() {
    var before = new ArrayList<List<Integer>>();
    next.forEach(_ -> before.add(new ArrayList<>(2)));
    for (int state = 0; state < next.size(); state++) {
      int[] to = Arrays.stream(next.get(state)).filter(s -> s >= 0).distinct().toArray();
      for (int s : to) {
        before.get(s).add(state);
      }
    }
    var live = new BitSet();
    var open = new ArrayDeque<Integer>();
    accepting.stream().forEach(open::add);
    while (!open.isEmpty()) {
      int state = open.remove();
      if (!live.get(state)) {
        live.set(state);
        open.addAll(before.get(state));
      }
    }
    if (!live.get(0)) {
      next.clear();
      accepting.clear();
      return;
    }
    for (int[] to : next) {
      for (int i = 0; i < to.length; i++) {
        to[i] = to[i] >= 0 && live.get(to[i]) ? to[i] : -1;
      }
    }
  }

  /// Thompson's construction, then that of subsets.
  private static final class Builder {
    private final List<List<Integer>> empty = new ArrayList<>();
    private final List<CodePoints> sets =
        new ArrayList<>(); // on which a state goes to the next one

    private int newState() {
      if (empty.size() > 4 * MOST_STATES) {
        throw tooLarge();
      }
      empty.add(new ArrayList<>(2));
      sets.add(CodePoints.NONE);
      return empty.size() - 1;
    }

    private int step(int from, CodePoints set) {
      int state = newState(); // its successor is where the step ends
      int end = newState();
      empty.get(from).add(state);
      sets.set(state, set);
      return end;
    }

    private int add(Expr expr, int from) {
      switch (expr) {
        case Expr.Text(String text) -> {
          int at = from;
          for (int c : text.codePoints().toArray()) {
            at = step(at, CodePoints.of(c));
          }
          return at;
        }
        case Expr.Chars(CodePoints set) -> {
          return step(from, set);
        }
        case Expr.Sequence(List<Expr> parts) -> {
          int at = from;
          for (Expr part : parts) {
            at = add(part, at);
          }
          return at;
        }
        case Expr.Choice(List<Expr> options) -> {
          int end = newState();
          for (Expr option : options) {
            int start = newState();
            empty.get(from).add(start);
            empty.get(add(option, start)).add(end);
          }
          return end;
        }
        case Expr.Repeat(Expr element, int min, int max) -> {
          int at = from;
          for (int i = 0; i < min; i++) {
            at = add(element, at);
          }
          int end = newState();
          if (max == Expr.UNBOUNDED) {
            int loop = newState();
            empty.get(at).add(loop);
            empty.get(add(element, loop)).add(loop);
            empty.get(loop).add(end);
            return end;
          }
          for (int i = min; i < max; i++) {
            empty.get(at).add(end);
            at = add(element, at);
          }
          empty.get(at).add(end);
          return end;
        }
        case Expr.Machine(CharDfa texts, var _) -> {
          int end = newState();
          int[] states = new int[texts.size()];
          Arrays.setAll(states, i -> newState());
          for (int i = 0; i < states.length; i++) {
            int state = states[i];
            texts
                .steps(i)
                .forEach(
                    (to, set) -> {
                      int begin = newState();
                      empty.get(state).add(begin);
                      empty.get(step(begin, set)).add(states[to]);
                    });
            if (texts.accepts(i)) {
              empty.get(state).add(end);
            }
          }
          if (states.length > 0) {
            empty.get(from).add(states[0]);
          }
          return end;
        }
        case Expr.Call _, Expr.Members _, Expr.Mark _ ->
            throw new IllegalStateException("not an expression over characters: " + expr);
      }
    }

    CharDfa build(Expr expr) {
      int start = newState();
      int end = add(expr, start);
      var cuts = new TreeSet<Integer>();
      cuts.add(0);
      for (CodePoints set : sets) {
        for (int i = 0; i < set.count(); i++) {
          cuts.add(set.first(i));
          cuts.add(set.last(i) + 1);
        }
      }
      cuts.remove(0x110000);
      int[] bounds = cuts.stream().mapToInt(i -> i).toArray();
      var numbers = new HashMap<BitSet, Integer>();
      var subsets = new ArrayList<BitSet>();
      var next = new ArrayList<int[]>();
      var accepting = new BitSet();
      var first = new BitSet();
      first.set(start);
      number(first, numbers, subsets);
      for (int state = 0; state < subsets.size(); state++) {
        BitSet subset = subsets.get(state);
        accepting.set(state, subset.get(end));
        var to = new int[bounds.length];
        for (int i = 0; i < bounds.length; i++) {
          var reached = new BitSet();
          for (int s = subset.nextSetBit(0); s >= 0; s = subset.nextSetBit(s + 1)) {
            if (sets.get(s).contains(bounds[i])) {
              reached.set(s + 1);
            }
          }
          to[i] = reached.isEmpty() ? -1 : number(reached, numbers, subsets);
        }
        next.add(to);
        if (subsets.size() > MOST_STATES || (long) next.size() * to.length > MOST_STEPS) {
          throw tooLarge();
        }
      }
      return new CharDfa(bounds, next, accepting);
    }

    private int number(BitSet kernel, Map<BitSet, Integer> numbers, List<BitSet> subsets) {
      var closed = new BitSet();
      var open = new ArrayDeque<Integer>();
      kernel.stream().forEach(open::add);
      while (!open.isEmpty()) {
        int state = open.remove();
        if (!closed.get(state)) {
          closed.set(state);
          open.addAll(empty.get(state));
        }
      }
      return numbers.computeIfAbsent(
          closed,
          _ -> {
            subsets.add(closed);
            return subsets.size() - 1;
          });
    }
  }
}
