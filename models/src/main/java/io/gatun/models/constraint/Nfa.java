package io.gatun.models.constraint;

import io.gatun.models.constraint.expr.CharDfa;
import io.gatun.models.constraint.expr.CodePoints;
import io.gatun.models.constraint.expr.Expr;
import io.gatun.models.constraint.expr.Expr.Rule;
import io.gatun.models.constraint.expr.Utf8;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;

/// Turns rules into automata over bytes and calls, one a rule, without empty steps: what
/// [Grammar#compile] works on.
///
/// No rule here stands for the empty text: where one may, the automata that call it may also step
/// over the call. So a call always takes at least a byte, and what a rule begins with can be called
/// only from rules that begin with it in turn, a chain that [LeftRecursion] makes finite.
final class Nfa {
  private static final int MOST_RULES = 20_000;
  private static final int MOST_STATES = 400_000;
  private static final int MOST_EDGES = 1_000_000;

  /// A repetition of more states than this is counted instead of written out.
  private static final int WRITTEN_OUT = 64;

  /// A step from one state to the next: over a byte from `lo` to `hi`, or over what a rule stands
  /// for.
  record Edge(int lo, int hi, int rule, int to) {
    boolean isCall() {
      return rule >= 0;
    }

    Edge to(int state) {
      return new Edge(lo, hi, rule, state);
    }
  }

  /// An automaton.
  ///
  /// @param element the rule that it repeats, or -1: then it has states of its own, and no counts
  record Automaton(String name, int start, int element, int min, int max) {
    boolean counted() {
      return element >= 0;
    }
  }

  final List<Automaton> rules = new ArrayList<>();
  final List<List<Edge>> edges = new ArrayList<>();
  final BitSet accepting = new BitSet();
  private final List<int[]> empty = new ArrayList<>(); // where a state leads to without a byte
  private final List<Integer> ends = new ArrayList<>();
  private final Map<Rule, Integer> numbers = new HashMap<>();
  private final ArrayDeque<Rule> toBuild = new ArrayDeque<>();
  private final BitSet nullable = new BitSet();
  private int edgeCount;

  Nfa(Rule root) {
    number(root);
    while (!toBuild.isEmpty()) {
      build(toBuild.remove());
    }
    stepOverNullable();
    removeEmptySteps();
  }

  /// Whether the first rule may stand for the empty text.
  boolean mayBeEmpty() {
    return nullable.get(0);
  }

  private int number(Rule rule) {
    Integer known = numbers.get(rule);
    if (known != null) {
      return known;
    }
    int number = rules.size();
    if (number == MOST_RULES) {
      throw new ConstraintException(
          "the grammar is too large: it has more than %,d rules".formatted(MOST_RULES));
    }
    numbers.put(rule, number);
    rules.add(null);
    ends.add(-1);
    toBuild.add(rule);
    return number;
  }

  private void build(Rule rule) {
    int number = numbers.get(rule);
    if (rule.body instanceof Expr.Repeat repeat && !isWrittenOut(repeat)) {
      int element = number(elementOf(repeat, rule.name));
      rules.set(number, new Automaton(rule.name, -1, element, repeat.min(), repeat.max()));
      return;
    }
    int start = newState();
    rules.set(number, new Automaton(rule.name, start, -1, 0, 0));
    int from = newState(); // nothing leads back to the start
    emptyStep(start, from);
    ends.set(number, build(rule.body, from, rule.name));
  }

  private static Rule elementOf(Expr.Repeat repeat, String name) {
    return repeat.element() instanceof Expr.Call call
        ? call.rule()
        : new Rule(name + "-element", repeat.element());
  }

  int newState() {
    if (edges.size() == MOST_STATES) {
      throw new ConstraintException(
          "the grammar is too large: it needs more than %,d states. Shorten lists of values, or lower what {m,n}, minLength, minItems and the like ask for"
              .formatted(MOST_STATES));
    }
    edges.add(new ArrayList<>(2));
    empty.add(null);
    return edges.size() - 1;
  }

  private void emptyStep(int from, int to) {
    int[] before = empty.get(from);
    int[] after = before == null ? new int[1] : Arrays.copyOf(before, before.length + 1);
    after[after.length - 1] = to;
    empty.set(from, after);
  }

  void addEdge(int from, Edge edge) {
    if (++edgeCount > MOST_EDGES) {
      throw new ConstraintException(
          "the grammar is too large: it needs more than %,d steps between its states. Shorten lists of values, or have fewer optional parts in a row"
              .formatted(MOST_EDGES));
    }
    edges.get(from).add(edge);
  }

  /// Adds what `expr` stands for after `from`, and returns where that ends.
  private int build(Expr expr, int from, String name) {
    return switch (expr) {
      case Expr.Text(String text) -> bytes(text.getBytes(StandardCharsets.UTF_8), from);
      case Expr.Mark(String mark) -> bytes(Expr.Mark.bytes(mark), from);
      case Expr.Chars(CodePoints set) -> chars(set, from);
      case Expr.Sequence(List<Expr> parts) -> {
        int at = from;
        for (Expr part : parts) {
          at = build(part, at, name);
        }
        yield at;
      }
      case Expr.Choice(List<Expr> options) -> {
        int end = newState();
        for (Expr option : options) {
          emptyStep(build(option, from, name), end);
        }
        yield end;
      }
      case Expr.Call(Rule rule) -> {
        int end = newState();
        addEdge(from, new Edge(0, 0, number(rule), end));
        yield end;
      }
      case Expr.Repeat repeat -> repeat(repeat, from, name);
      case Expr.Machine machine -> machine(machine, from, name);
      case Expr.Members members -> members(members, from, name);
    };
  }

  private int bytes(byte[] text, int from) {
    int at = from;
    for (byte b : text) {
      int next = newState();
      addEdge(at, new Edge(b & 0xFF, b & 0xFF, -1, next));
      at = next;
    }
    return at;
  }

  private int repeat(Expr.Repeat repeat, int from, String name) {
    if (!isWrittenOut(repeat)) {
      return build(new Expr.Call(new Rule(name + "-repeated", repeat)), from, name);
    }
    int at = from;
    for (int i = 0; i < repeat.min(); i++) {
      at = build(repeat.element(), at, name);
    }
    if (repeat.max() == Expr.UNBOUNDED) {
      int loop = newState();
      emptyStep(at, loop);
      emptyStep(build(repeat.element(), loop, name), loop);
      return loop;
    }
    int end = newState();
    for (int i = repeat.min(); i < repeat.max(); i++) {
      emptyStep(at, end);
      at = build(repeat.element(), at, name);
    }
    emptyStep(at, end);
    return end;
  }

  private static boolean isWrittenOut(Expr.Repeat repeat) {
    int times = Math.max(repeat.min(), repeat.max());
    if (times > Expr.MOST_COUNTED) {
      throw new ConstraintException(
          "a repetition of %,d times is too long; at most %,d can be counted. Leave the upper bound open, or lower it"
              .formatted(times, Expr.MOST_COUNTED));
    }
    return times <= 1 || (long) times * size(repeat.element(), WRITTEN_OUT) <= WRITTEN_OUT;
  }

  /// About how many states an expression has, or `limit` if there are as many.
  private static long size(Expr expr, int limit) {
    long size = 1;
    switch (expr) {
      case Expr.Text(String text) -> size = text.length();
      case Expr.Mark(String mark) -> size = mark.length();
      case Expr.Chars(CodePoints set) ->
          size = set.isEmpty() || set.last(set.count() - 1) < 0x80 ? 1 : 8;
      case Expr.Call _ -> size = 1;
      case Expr.Machine(CharDfa texts, var _) -> size = 8L * texts.size();
      case Expr.Members _ -> size = limit;
      case Expr.Repeat(Expr element, int min, int max) ->
          size = Math.max(1, Math.max(min, max)) * size(element, limit);
      case Expr.Sequence(List<Expr> parts) -> size = size(parts, limit);
      case Expr.Choice(List<Expr> options) -> size = size(options, limit);
    }
    return Math.min(size, limit);
  }

  private static long size(List<Expr> parts, int limit) {
    long size = 1;
    for (int i = 0; i < parts.size() && size < limit; i++) {
      size += size(parts.get(i), limit);
    }
    return size;
  }

  private int machine(Expr.Machine machine, int from, String name) {
    int end = newState();
    int[] states = new int[machine.texts().size()];
    Arrays.setAll(states, i -> newState());
    for (int i = 0; i < states.length; i++) {
      int state = states[i];
      machine
          .texts()
          .steps(i)
          .forEach(
              (to, set) ->
                  emptyStep(build(machine.spelling().apply(set), state, name), states[to]));
      if (machine.texts().accepts(i)) {
        emptyStep(state, end);
      }
    }
    if (states.length > 0) {
      emptyStep(from, states[0]);
    }
    return end;
  }

  /// A state for each number of members so far, `most` and above in one, at each place of the list.
  private int members(Expr.Members members, int from, String name) {
    int most = Math.max(1, Math.max(members.min(), members.max()));
    int end = newState();
    int[] counts = new int[most + 1]; // 0: not reached
    counts[0] = newState();
    emptyStep(from, counts[0]);
    for (Expr.Member member : members.named()) {
      var after = new int[most + 1];
      for (int k = 0; k <= most; k++) {
        if (counts[k] == 0) {
          continue;
        }
        if (!member.required()) {
          emptyStep(counts[k], at(after, k));
        }
        if (k != members.max()) {
          int begin = k == 0 ? counts[k] : build(members.comma(), counts[k], name);
          emptyStep(build(member.expr(), begin, name), at(after, Math.min(most, k + 1)));
        }
      }
      counts = after;
    }
    for (int k = 0; k <= most; k++) {
      int missing = Math.max(0, members.min() - k);
      if (counts[k] == 0) {
        continue;
      }
      if (missing == 0) {
        emptyStep(counts[k], end);
      }
      if (missing <= 1 && members.extra() != null && k != members.max()) {
        int begin = k == 0 ? counts[k] : build(members.comma(), counts[k], name);
        int rest = members.max() == Expr.UNBOUNDED ? members.max() : members.max() - k - 1;
        Expr more = new Expr.Repeat(Expr.sequence(members.comma(), members.extra()), 0, rest);
        emptyStep(build(Expr.sequence(members.extra(), more), begin, name), end);
      }
    }
    return end;
  }

  private int at(int[] states, int i) {
    if (states[i] == 0) {
      states[i] = newState();
    }
    return states[i];
  }

  private int chars(CodePoints set, int from) {
    int end = newState();
    var after = new HashMap<List<Integer>, Integer>(); // sequences with the same tail share it
    after.put(List.of(), end);
    for (int[] sequence : Utf8.sequences(set)) {
      List<Integer> bounds = Arrays.stream(sequence).boxed().toList();
      int to = tail(bounds.subList(2, bounds.size()), after);
      addEdge(from, new Edge(sequence[0], sequence[1], -1, to));
    }
    return end;
  }

  private int tail(List<Integer> bounds, Map<List<Integer>, Integer> after) {
    Integer known = after.get(bounds);
    if (known != null) {
      return known;
    }
    int to = tail(bounds.subList(2, bounds.size()), after);
    int state = newState();
    addEdge(state, new Edge(bounds.get(0), bounds.get(1), -1, to));
    after.put(bounds, state);
    return state;
  }

  /// Finds what may stand for the empty text, and lets its callers step over it.
  private void stepOverNullable() {
    for (boolean changed = true; changed; ) {
      changed = false;
      for (int rule = rules.size() - 1; rule >= 0; rule--) { // called rules have higher numbers
        if (!nullable.get(rule) && isNullable(rule)) {
          nullable.set(rule);
          changed = true;
        }
      }
    }
    for (int state = 0; state < edges.size(); state++) {
      for (Edge edge : edges.get(state)) {
        if (edge.isCall() && nullable.get(edge.rule())) {
          emptyStep(state, edge.to());
        }
      }
    }
    for (int rule = 0; rule < rules.size(); rule++) {
      var automaton = rules.get(rule);
      if (automaton.counted()) {
        int min = nullable.get(automaton.element()) ? 1 : Math.max(1, automaton.min());
        rules.set(
            rule, new Automaton(automaton.name(), -1, automaton.element(), min, automaton.max()));
      }
    }
  }

  private boolean isNullable(int rule) {
    var automaton = rules.get(rule);
    if (automaton.counted()) {
      return automaton.min() == 0 || nullable.get(automaton.element());
    }
    var seen = new BitSet();
    var open = new ArrayDeque<Integer>();
    open.add(automaton.start());
    while (!open.isEmpty()) {
      int state = open.remove();
      if (state == ends.get(rule)) {
        return true;
      }
      if (!seen.get(state)) {
        seen.set(state);
        for (int to : emptySteps(state)) {
          open.add(to);
        }
        for (Edge edge : edges.get(state)) {
          if (edge.isCall() && nullable.get(edge.rule())) {
            open.add(edge.to());
          }
        }
      }
    }
    return false;
  }

  private int[] emptySteps(int state) {
    return empty.get(state) == null ? new int[0] : empty.get(state);
  }

  /// Gives each state the edges of all states that it leads to without a byte.
  private void removeEmptySteps() {
    var end = new BitSet();
    ends.stream().filter(state -> state >= 0).forEach(end::set);
    var before = new ArrayList<>(edges);
    edgeCount = 0;
    for (int state = 0; state < edges.size(); state++) {
      edges.set(state, new ArrayList<>());
    }
    var kept = new BitSet();
    var open = new ArrayDeque<Integer>();
    for (var automaton : rules) {
      if (!automaton.counted()) {
        kept.set(automaton.start());
        open.add(automaton.start());
      }
    }
    var reached = new int[edges.size()]; // from which state last
    Arrays.fill(reached, -1);
    while (!open.isEmpty()) {
      int state = open.remove();
      var within = new ArrayDeque<Integer>();
      within.add(state);
      var all = new LinkedHashSet<Edge>();
      while (!within.isEmpty()) {
        int at = within.remove();
        if (reached[at] != state) {
          reached[at] = state;
          if (end.get(at)) {
            accepting.set(state);
          }
          all.addAll(before.get(at));
          for (int to : emptySteps(at)) {
            within.add(to);
          }
        }
      }
      for (Edge edge : all) {
        addEdge(state, edge);
        if (!kept.get(edge.to())) {
          kept.set(edge.to());
          open.add(edge.to());
        }
      }
    }
    empty.clear();
  }
}
