package io.gatun.models.constraint;

import io.gatun.models.constraint.Nfa.Automaton;
import io.gatun.models.constraint.Nfa.Edge;
import io.gatun.models.constraint.expr.Expr;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Compiled rules: for each an automaton over bytes and calls. From every state that there is the
/// end can be reached. Immutable.
///
/// A counted rule, which repeats another one, has a state for each count, though nothing is stored
/// of them: their numbers come after those of the stored states.
final class Grammar {
  /// Bytes of one class are not told apart by any rule; a class is a range of bytes.
  final int[] classOf = new int[256];

  final int classes;

  /// Whether the empty text is one of the grammar's.
  final boolean mayBeEmpty;

  /// For each rule its place in an order in which a rule comes before those that it may begin with.
  final int[] rank;

  private final int stored;
  private final int[] byteAt; // where a stored state's byte steps begin
  private final int[] byteLow; // classes
  private final int[] byteHigh;
  private final int[] byteTo;
  private final int[] callAt;
  private final int[] callRule;
  private final int[] callTo;
  private final BitSet accepting = new BitSet();
  private final int[] start;
  private final List<Automaton> rules;
  private final int[] counted; // rules, in the order of their first states

  private Grammar(Nfa nfa) {
    mayBeEmpty = nfa.mayBeEmpty();
    rules = nfa.rules;
    rank = LeftRecursion.remove(nfa);
    prune(nfa);
    var numbers = new HashMap<Integer, Integer>();
    var states = reachable(nfa, numbers);
    stored = states.size();
    classes = findClasses(nfa, states);
    byteAt = new int[stored + 1];
    callAt = new int[stored + 1];
    for (int i = 0; i < stored; i++) {
      int calls = (int) nfa.edges.get(states.get(i)).stream().filter(Edge::isCall).count();
      callAt[i + 1] = callAt[i] + calls;
      byteAt[i + 1] = byteAt[i] + nfa.edges.get(states.get(i)).size() - calls;
      accepting.set(i, nfa.accepting.get(states.get(i)));
    }
    for (var rule : rules) {
      if (!rule.counted() && numbers.containsKey(rule.start())) {
        accepting.clear(numbers.get(rule.start())); // a call takes at least a byte
      }
    }
    byteLow = new int[byteAt[stored]];
    byteHigh = new int[byteAt[stored]];
    byteTo = new int[byteAt[stored]];
    callRule = new int[callAt[stored]];
    callTo = new int[callAt[stored]];
    int bytes = 0;
    int calls = 0;
    for (int state : states) {
      for (Edge edge : nfa.edges.get(state)) {
        if (edge.isCall()) {
          callRule[calls] = edge.rule();
          callTo[calls++] = numbers.get(edge.to());
        } else {
          byteLow[bytes] = classOf[edge.lo()];
          byteHigh[bytes] = classOf[edge.hi()];
          byteTo[bytes++] = numbers.get(edge.to());
        }
      }
    }
    start = new int[rules.size()];
    var inOrder = new ArrayList<Integer>();
    long next = stored;
    for (int rule = 0; rule < start.length; rule++) {
      var automaton = rules.get(rule);
      if (automaton.counted()) {
        inOrder.add(rule);
        start[rule] = (int) next;
        next += Math.max(automaton.min(), automaton.max()) + 1;
        if (next > Integer.MAX_VALUE) {
          throw new ConstraintException(
              "the grammar is too large: its repetitions count to more than %,d together"
                  .formatted(Integer.MAX_VALUE));
        }
      } else {
        start[rule] = numbers.getOrDefault(automaton.start(), -1);
      }
    }
    counted = inOrder.stream().mapToInt(i -> i).toArray();
  }

  /// Compiles the rules that can be reached from one.
  ///
  /// @throws ConstraintException if they are too large, or stand for nothing at all
  static Grammar compile(Expr.Rule root) {
    var grammar = new Grammar(new Nfa(root));
    if (!grammar.mayBeEmpty && !grammar.isProductive()) {
      throw new ConstraintException("no text at all would be valid");
    }
    return grammar;
  }

  private boolean isProductive() {
    int rule = 0;
    while (rules.get(rule).counted()) {
      rule = rules.get(rule).element();
    }
    int state = start[rule];
    return byteAt[state] < byteAt[state + 1] || callAt[state] < callAt[state + 1];
  }

  /// Removes steps from which no end can be reached.
  private static void prune(Nfa nfa) {
    int n = nfa.edges.size();
    var before = new ArrayList<List<int[]>>(); // for each state: from where, over which rule
    for (int i = 0; i < n; i++) {
      before.add(new ArrayList<>(1));
    }
    for (int state = 0; state < n; state++) {
      for (Edge edge : nfa.edges.get(state)) {
        before.get(edge.to()).add(new int[] {state, edge.rule()});
      }
    }
    var startsOf = new HashMap<Integer, Integer>();
    var repeaters = new HashMap<Integer, List<Integer>>();
    for (int rule = 0; rule < nfa.rules.size(); rule++) {
      var automaton = nfa.rules.get(rule);
      if (automaton.counted()) {
        repeaters.computeIfAbsent(automaton.element(), _ -> new ArrayList<>()).add(rule);
      } else {
        startsOf.put(automaton.start(), rule);
      }
    }
    var live = new BitSet();
    var productive = new BitSet();
    var waiting = new HashMap<Integer, List<Integer>>(); // states that wait for a rule
    var open = new ArrayDeque<Integer>();
    for (int s = nfa.accepting.nextSetBit(0); s >= 0; s = nfa.accepting.nextSetBit(s + 1)) {
      if (!startsOf.containsKey(s)) {
        open.add(s);
      }
    }
    while (!open.isEmpty()) {
      int state = open.remove();
      if (live.get(state)) {
        continue;
      }
      live.set(state);
      for (int[] step : before.get(state)) {
        if (step[1] < 0 || productive.get(step[1])) {
          open.add(step[0]);
        } else {
          waiting.computeIfAbsent(step[1], _ -> new ArrayList<>()).add(step[0]);
        }
      }
      if (startsOf.containsKey(state)) {
        var found = new ArrayDeque<Integer>();
        found.add(startsOf.get(state));
        while (!found.isEmpty()) {
          int rule = found.remove();
          if (!productive.get(rule)) {
            productive.set(rule);
            open.addAll(waiting.getOrDefault(rule, List.of()));
            found.addAll(repeaters.getOrDefault(rule, List.of()));
          }
        }
      }
    }
    for (List<Edge> edges : nfa.edges) {
      edges.removeIf(e -> !live.get(e.to()) || (e.isCall() && !productive.get(e.rule())));
    }
  }

  /// The states that are left, in the order of their numbers.
  private static List<Integer> reachable(Nfa nfa, Map<Integer, Integer> numbers) {
    var states = new ArrayList<Integer>();
    var rules = new BitSet();
    var open = new ArrayDeque<Integer>();
    open.add(0);
    while (!open.isEmpty()) {
      int rule = open.remove();
      if (rules.get(rule)) {
        continue;
      }
      rules.set(rule);
      var automaton = nfa.rules.get(rule);
      if (automaton.counted()) {
        open.add(automaton.element());
        continue;
      }
      int from = states.size();
      states.add(automaton.start());
      numbers.put(automaton.start(), from);
      for (int i = from; i < states.size(); i++) {
        for (Edge edge : nfa.edges.get(states.get(i))) {
          if (edge.isCall()) {
            open.add(edge.rule());
          }
          if (numbers.putIfAbsent(edge.to(), states.size()) == null) {
            states.add(edge.to());
          }
        }
      }
    }
    return states;
  }

  private int findClasses(Nfa nfa, List<Integer> states) {
    var first = new boolean[257];
    for (int state : states) {
      for (Edge edge : nfa.edges.get(state)) {
        if (!edge.isCall()) {
          first[edge.lo()] = true;
          first[edge.hi() + 1] = true;
        }
      }
    }
    int found = 0;
    for (int b = 0; b < 256; b++) {
      found += b > 0 && first[b] ? 1 : 0;
      classOf[b] = found;
    }
    return found + 1;
  }

  /// The number of states that are stored; higher ones are counts.
  int stored() {
    return stored;
  }

  int ruleCount() {
    return rules.size();
  }

  /// The state in which a rule begins.
  int start(int rule) {
    return start[rule];
  }

  boolean isCount(int state) {
    return state >= stored;
  }

  /// The rule of which a state is a count.
  Automaton countedRule(int state) {
    return rules.get(countedRuleNumber(state));
  }

  private int countedRuleNumber(int state) {
    int low = 0;
    int high = counted.length - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (start[counted[middle]] <= state) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return counted[low];
  }

  /// The count that a state is.
  int count(int state) {
    return state - start[countedRuleNumber(state)];
  }

  /// The lowest of the counts that `bytes` more bytes cannot tell from this one: all of these
  /// suffice for the rule, and leave room for as many elements. Other states are only themselves.
  int alike(int state, int bytes) {
    if (!isCount(state)) {
      return state;
    }
    var rule = countedRule(state);
    int count = count(state);
    return rule.max() != Expr.UNBOUNDED && count >= rule.min() && rule.max() - count >= bytes
        ? state - count + rule.min()
        : state;
  }

  /// Whether the rule may end here.
  boolean accepts(int state) {
    return isCount(state) ? count(state) >= countedRule(state).min() : accepting.get(state);
  }

  /// Whether the rule can only end here.
  boolean isLast(int state) {
    return isCount(state)
        ? count(state) == countedRule(state).max()
        : byteAt[state] == byteAt[state + 1]
            && callAt[state] == callAt[state + 1]
            && accepting.get(state);
  }

  boolean hasByteSteps(int state) {
    return !isCount(state) && byteAt[state] < byteAt[state + 1];
  }

  int firstByteStep(int state) {
    return byteAt[state];
  }

  int endOfByteSteps(int state) {
    return byteAt[state + 1];
  }

  /// Whether a step takes the bytes of a class.
  boolean takes(int step, int byteClass) {
    return byteLow[step] <= byteClass && byteClass <= byteHigh[step];
  }

  int byteStepTo(int step) {
    return byteTo[step];
  }

  /// The lowest byte that a step takes.
  int lowestByte(int step) {
    int b = 0;
    while (classOf[b] < byteLow[step]) {
      b++;
    }
    return b;
  }

  /// Is told of each call that a state may step over.
  interface Calls {
    void call(int rule, int to);
  }

  void calls(int state, Calls calls) {
    if (!isCount(state)) {
      for (int i = callAt[state]; i < callAt[state + 1]; i++) {
        calls.call(callRule[i], callTo[i]);
      }
      return;
    }
    var rule = countedRule(state);
    int count = count(state);
    if (rule.max() == Expr.UNBOUNDED) {
      calls.call(rule.element(), count < rule.min() ? state + 1 : state);
    } else if (count < rule.max()) {
      calls.call(rule.element(), state + 1);
    }
  }

  @Override
  public String toString() {
    return "Grammar(%d rules, %d states, %d classes of bytes)"
        .formatted(rules.size(), stored, classes);
  }
}
