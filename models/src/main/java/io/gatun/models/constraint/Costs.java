package io.gatun.models.constraint;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;

/// How many tokens it takes at most to come from each state of a grammar to its rule's end, on a
/// way of the fewest bytes.
final class Costs {
  /// As good as never.
  static final int MOST = 1 << 29;

  private final Grammar grammar;
  private final TokenTrie vocabulary;
  private final int[] bytes;
  private final int[] byteStep; // with which the way goes on, or -1
  private final int[] calledRule; // or with which call,
  private final int[] calledTo; // and what follows that
  private final int[] tokens;
  private final int[] ruleBytes;

  private Costs(Grammar grammar, TokenTrie vocabulary) {
    this.grammar = grammar;
    this.vocabulary = vocabulary;
    int n = grammar.stored();
    bytes = filled(n, MOST);
    byteStep = filled(n, -1);
    calledRule = filled(n, -1);
    calledTo = new int[n];
    tokens = new int[n];
    ruleBytes = filled(grammar.ruleCount(), MOST);
    for (int state : findBytes()) {
      tokens[state] = findTokens(state);
    }
  }

  /// Computes them.
  static Costs of(Grammar grammar, TokenTrie vocabulary) {
    return new Costs(grammar, vocabulary);
  }

  private static int[] filled(int n, int value) {
    var array = new int[n];
    Arrays.fill(array, value);
    return array;
  }

  static int add(int a, int b) {
    return Math.min(MOST, a + b);
  }

  /// Tokens from a state to its rule's end.
  int of(int state) {
    if (!grammar.isCount(state)) {
      return tokens[state];
    }
    var rule = grammar.countedRule(state);
    return times(rule.min() - grammar.count(state), rule.element());
  }

  private int times(int count, int rule) {
    return count <= 0 ? 0 : (int) Math.min(MOST, (long) count * of(grammar.start(rule)));
  }

  private record Found(int bytes, int state) {}

  private record Predecessor(int state, int step, int rule) {}

  /// Knuth's generalization of Dijkstra's algorithm; returns the states, those with the fewest
  /// bytes first.
  private List<Integer> findBytes() {
    var before = new HashMap<Integer, List<Predecessor>>();
    var callers = new HashMap<Integer, List<int[]>>(); // by rule: a state, and what it goes on to
    var starts = new HashMap<Integer, Integer>();
    var repeaters = new HashMap<Integer, List<Integer>>();
    var open = new PriorityQueue<Found>((a, b) -> Integer.compare(a.bytes, b.bytes));
    for (int rule = 0; rule < grammar.ruleCount(); rule++) {
      int start = grammar.start(rule);
      if (start >= 0 && !grammar.isCount(start)) {
        starts.put(start, rule);
      } else if (start >= 0) {
        int element = grammar.countedRule(start).element();
        repeaters.computeIfAbsent(element, _ -> new ArrayList<>()).add(rule);
      }
    }
    for (int state = 0; state < grammar.stored(); state++) {
      int from = state;
      for (int i = grammar.firstByteStep(from); i < grammar.endOfByteSteps(from); i++) {
        list(before, grammar.byteStepTo(i)).add(new Predecessor(from, i, -1));
      }
      grammar.calls(
          from,
          (rule, to) -> {
            list(before, to).add(new Predecessor(from, -1, rule));
            callers.computeIfAbsent(rule, _ -> new ArrayList<>()).add(new int[] {from, to});
          });
      if (grammar.accepts(from)) {
        bytes[from] = 0;
        open.add(new Found(0, from));
      }
    }
    var done = new ArrayList<Integer>();
    var isDone = new boolean[grammar.stored()];
    while (!open.isEmpty()) {
      var found = open.remove();
      int state = found.state;
      if (isDone[state]) {
        continue;
      }
      isDone[state] = true;
      done.add(state);
      for (var p : before.getOrDefault(state, List.of())) {
        if (p.rule < 0) {
          improve(p.state, found.bytes + 1, p.step, -1, state, open);
        } else {
          improve(p.state, add(ruleBytes[p.rule], found.bytes), -1, p.rule, state, open);
        }
      }
      Integer rule = starts.get(state);
      if (rule != null) {
        foundRule(rule, found.bytes, callers, repeaters, open);
      }
    }
    return done;
  }

  private static List<Predecessor> list(Map<Integer, List<Predecessor>> map, int key) {
    return map.computeIfAbsent(key, _ -> new ArrayList<>(2));
  }

  private void foundRule(
      int rule,
      int cost,
      Map<Integer, List<int[]>> callers,
      Map<Integer, List<Integer>> repeaters,
      PriorityQueue<Found> open) {
    if (ruleBytes[rule] <= cost) {
      return;
    }
    ruleBytes[rule] = cost;
    for (int[] call : callers.getOrDefault(rule, List.of())) {
      improve(call[0], add(cost, bytes[call[1]]), -1, rule, call[1], open);
    }
    for (int repeater : repeaters.getOrDefault(rule, List.of())) {
      long all = (long) cost * grammar.countedRule(grammar.start(repeater)).min();
      foundRule(repeater, (int) Math.min(MOST, all), callers, repeaters, open);
    }
  }

  private void improve(int state, int cost, int step, int rule, int to, PriorityQueue<Found> open) {
    if (cost < bytes[state]) {
      bytes[state] = cost;
      byteStep[state] = step;
      calledRule[state] = rule;
      calledTo[state] = to;
      open.add(new Found(cost, state));
    }
  }

  /// The longest tokens that lie on the way take it along.
  private int findTokens(int state) {
    if (calledRule[state] >= 0) {
      return add(of(grammar.start(calledRule[state])), tokens[calledTo[state]]);
    }
    if (byteStep[state] < 0) {
      return 0;
    }
    int best = MOST;
    long hash = 0;
    int at = state;
    for (int i = 0; i < vocabulary.longest() && byteStep[at] >= 0; i++) {
      hash = TokenTrie.hash(hash, grammar.lowestByte(byteStep[at]));
      at = grammar.byteStepTo(byteStep[at]);
      if (i == 0 || vocabulary.hasToken(hash)) {
        best = Math.min(best, add(1, tokens[at]));
      }
    }
    return best;
  }
}
