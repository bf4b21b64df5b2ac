package io.gatun.models.constraint;

import io.gatun.models.constraint.Nfa.Edge;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;

/// Rewrites rules that may begin with themselves, such as `sum ::= sum "+" term | term`, so that
/// none does (Paull's algorithm, on automata): where the rule ended, it may now go on as it did
/// after the call of itself.
final class LeftRecursion {
  private final Nfa nfa;

  private LeftRecursion(Nfa nfa) {
    this.nfa = nfa;
  }

  /// Rewrites the rules of an automaton; returns for each rule its place in an order in which a
  /// rule comes before those that it may begin with.
  static int[] remove(Nfa nfa) {
    var removal = new LeftRecursion(nfa);
    int[] groups = removal.groups();
    for (List<Integer> group : members(groups)) {
      removal.rewrite(group);
    }
    List<Integer> order = removal.depthFirst(removal.calls());
    var rank = new int[order.size()];
    for (int i = 0; i < rank.length; i++) {
      rank[order.get(i)] = rank.length - 1 - i;
    }
    return rank;
  }

  private static List<List<Integer>> members(int[] groups) {
    var members = new HashMap<Integer, List<Integer>>();
    for (int rule = 0; rule < groups.length; rule++) {
      members.computeIfAbsent(groups[rule], _ -> new ArrayList<>()).add(rule);
    }
    return List.copyOf(members.values());
  }

  /// The rules that each rule may begin with.
  private List<List<Integer>> calls() {
    var calls = new ArrayList<List<Integer>>();
    for (var rule : nfa.rules) {
      calls.add(
          rule.counted()
              ? List.of(rule.element())
              : nfa.edges.get(rule.start()).stream()
                  .filter(Edge::isCall)
                  .map(Edge::rule)
                  .distinct()
                  .toList());
    }
    return calls;
  }

  /// The rules in the order in which a depth-first walk leaves them.
  private List<Integer> depthFirst(List<List<Integer>> calls) {
    var left = new ArrayList<Integer>();
    var seen = new BitSet();
    for (int rule = 0; rule < calls.size(); rule++) {
      walk(rule, calls, seen, left);
    }
    return left;
  }

  private static void walk(int from, List<List<Integer>> calls, BitSet seen, List<Integer> left) {
    if (seen.get(from)) {
      return;
    }
    seen.set(from);
    var path = new ArrayDeque<int[]>(); // a rule, and how many of its calls have been followed
    path.push(new int[] {from, 0});
    while (!path.isEmpty()) {
      int[] top = path.peek();
      List<Integer> next = calls.get(top[0]);
      if (top[1] == next.size()) {
        left.add(path.pop()[0]);
      } else {
        int rule = next.get(top[1]++);
        if (!seen.get(rule)) {
          seen.set(rule);
          path.push(new int[] {rule, 0});
        }
      }
    }
  }

  /// For each rule a number that it shares with those that it begins with and that begin with it
  /// (Kosaraju's algorithm).
  private int[] groups() {
    var calls = calls();
    var callers = new ArrayList<List<Integer>>();
    calls.forEach(_ -> callers.add(new ArrayList<>()));
    for (int rule = 0; rule < calls.size(); rule++) {
      for (int called : calls.get(rule)) {
        callers.get(called).add(rule);
      }
    }
    var groups = new int[calls.size()];
    var seen = new BitSet();
    for (int rule : depthFirst(calls).reversed()) {
      var group = new ArrayList<Integer>();
      walk(rule, callers, seen, group);
      group.forEach(member -> groups[member] = rule);
    }
    return groups;
  }

  private void rewrite(List<Integer> group) {
    if (group.size() == 1 && !calls().get(group.getFirst()).contains(group.getFirst())) {
      return;
    }
    for (int i = 0; i < group.size(); i++) {
      int rule = group.get(i);
      if (nfa.rules.get(rule).counted()) {
        throw new ConstraintException(
            "the rule %s may begin with itself through a long counted repetition; write it without that"
                .formatted(nfa.rules.get(rule).name()));
      }
      var earlier = group.subList(0, i);
      for (Edge call = firstCall(rule, earlier); call != null; call = firstCall(rule, earlier)) {
        inline(rule, call);
      }
      removeDirect(rule);
    }
  }

  private Edge firstCall(int rule, List<Integer> called) {
    return start(rule).stream()
        .filter(edge -> edge.isCall() && called.contains(edge.rule()))
        .findFirst()
        .orElse(null);
  }

  private List<Edge> start(int rule) {
    return nfa.edges.get(nfa.rules.get(rule).start());
  }

  /// Puts what a call at the beginning of a rule stands for in its place.
  private void inline(int rule, Edge call) {
    start(rule).remove(call);
    int calledStart = nfa.rules.get(call.rule()).start();
    var copies = new HashMap<Integer, Integer>();
    copies.put(calledStart, nfa.rules.get(rule).start());
    var reached = reachable(calledStart);
    for (int state : reached) {
      copies.computeIfAbsent(state, _ -> nfa.newState());
    }
    List<Edge> after = List.copyOf(nfa.edges.get(call.to()));
    for (int state : reached) {
      int copy = copies.get(state);
      for (Edge edge : List.copyOf(nfa.edges.get(state))) {
        nfa.addEdge(copy, edge.to(copies.get(edge.to())));
      }
      if (state != calledStart && nfa.accepting.get(state)) {
        after.forEach(edge -> nfa.addEdge(copy, edge));
        if (nfa.accepting.get(call.to())) {
          nfa.accepting.set(copy);
        }
      }
    }
  }

  private void removeDirect(int rule) {
    int start = nfa.rules.get(rule).start();
    var calls = start(rule).stream().filter(edge -> edge.rule() == rule && edge.isCall()).toList();
    if (calls.isEmpty()) {
      return;
    }
    int[] from = new int[calls.size() + 1];
    Arrays.setAll(from, i -> i == 0 ? start : calls.get(i - 1).to());
    List<Integer> reached = reachable(from);
    start(rule).removeAll(calls);
    List<Edge> after =
        calls.stream().flatMap(call -> nfa.edges.get(call.to()).stream()).distinct().toList();
    for (int state : reached) {
      if (state != start && nfa.accepting.get(state)) {
        var there = List.copyOf(nfa.edges.get(state));
        after.stream().filter(edge -> !there.contains(edge)).forEach(e -> nfa.addEdge(state, e));
      }
    }
  }

  private List<Integer> reachable(int... from) {
    var seen = new BitSet();
    var open = new ArrayDeque<Integer>();
    for (int state : from) {
      open.add(state);
    }
    var reached = new ArrayList<Integer>();
    while (!open.isEmpty()) {
      int state = open.remove();
      if (!seen.get(state)) {
        seen.set(state);
        reached.add(state);
        nfa.edges.get(state).forEach(edge -> open.add(edge.to()));
      }
    }
    return reached;
  }
}
