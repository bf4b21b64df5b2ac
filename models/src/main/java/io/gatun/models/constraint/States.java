package io.gatun.models.constraint;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The states in which a text can be that follows a grammar: an Earley parser whose item sets are
/// made once and kept, with the steps between them.
///
/// An [Item] is a place in a rule and what follows the rule. Earley's algorithm says where the rule
/// began, and looks there for what waits for its end; here that is a [Frame], the set of what
/// waits. So item sets are equal wherever in a text they come, and the kept ones are a
/// deterministic automaton that grows as it is used. Equal frames are one object, and texts that
/// are ambiguous share them: there are at most as many items in a set as in Earley's, whatever the
/// number of readings.
final class States {
  /// Items of one set: far more than any useful grammar has.
  private static final int MOST_ITEMS = 50_000;

  /// What a kept object takes beside its arrays.
  private static final int OBJECT = 64;

  private static final Item END = new Item(-1, null);

  /// A place in a rule, and what waits for the end of the rule.
  ///
  /// @param frame null for the end of the whole text
  private record Item(int state, Frame frame) {
    @Override
    public boolean equals(Object other) {
      return other instanceof Item item && item.state == state && item.frame == frame;
    }

    @Override
    public int hashCode() {
      return 0x9E3779B1 * state + (frame == null ? -1 : frame.number);
    }
  }

  private static final Comparator<Item> ORDER =
      Comparator.comparingInt(Item::state)
          .thenComparingInt(item -> item.frame == null ? -1 : item.frame.number);

  /// What waits for the end of a rule.
  private static final class Frame {
    final int number;
    final Item[] waiting;

    /// Tokens to the end of the text from the best of these.
    final int cost;

    /// One that no token tells from this one.
    Frame alike;

    Frame(int number, Item[] waiting, int cost) {
      this.number = number;
      this.waiting = waiting;
      this.cost = cost;
    }
  }

  /// Where a text can be.
  static final class State {
    private final Item[] items;
    private final State[] next;
    private final States owner;

    /// Whether the text may end here.
    final boolean mayEnd;

    /// How many tokens it takes at most to end the text.
    final int cost;

    /// What may follow, or null if it has not been asked for; see [Masks].
    Masks.Mask mask;

    /// The same for so few tokens that they do not suffice for all of these.
    final Map<Integer, long[]> shorter = new HashMap<>(0);

    private State alike;

    /// The only byte that may follow; -1 for none or several, and -2 if it has not been asked for.
    private int only = -2;

    private State(Item[] items, boolean mayEnd, int cost, States owner) {
      this.items = items;
      this.mayEnd = mayEnd;
      this.cost = cost;
      this.owner = owner;
      next = new State[owner.grammar.classes];
    }

    /// Whether nothing may follow.
    boolean isLast() {
      return items.length == 0;
    }
  }

  private record Key(List<Item> items, boolean mayEnd) {}

  /// Where a text cannot go.
  final State dead;

  private final Grammar grammar;
  private final Costs costs;
  private final Map<List<Item>, Frame> frames = new HashMap<>();
  private final Map<Key, State> states = new HashMap<>();
  private final int longest;
  private final long limit;
  private long bytes;
  private int framesMade;

  /// @param longest bytes of a token
  /// @param limit bytes from which on nothing more is kept, and what is not must be made each time
  States(Grammar grammar, Costs costs, int longest, long limit) {
    this.longest = longest;
    this.limit = limit;
    this.grammar = grammar;
    this.costs = costs;
    dead = new State(new Item[0], false, Costs.MOST, this);
  }

  /// Whether nothing more is kept.
  boolean isFull() {
    return bytes > limit;
  }

  /// The state before the first byte.
  State start() {
    var predicted = new Predictions();
    predicted.add(grammar.rank[0], 0, END);
    return state(new ArrayList<>(), predicted, grammar.mayBeEmpty);
  }

  /// The state after one more byte, or [#dead].
  State next(State from, int b) {
    int byteClass = grammar.classOf[b & 0xFF];
    State known = from.next[byteClass];
    if (known == null) {
      known = step(from, byteClass);
      if (!isFull()) {
        from.next[byteClass] = known;
      }
    }
    return known;
  }

  /// The byte that must follow, or -1 if there are several, or the text may end.
  int only(State state) {
    if (state.only == -2) {
      state.only = state.mayEnd ? -1 : findOnly(state);
    }
    return state.only;
  }

  private int findOnly(State state) {
    int only = -1;
    for (int b = 0; b < 256; b++) {
      if (next(state, b) != dead) {
        if (only >= 0) {
          return -1;
        }
        only = b;
      }
    }
    return only;
  }

  /// A state of another one of these for the same grammar, as one of this.
  State adopt(State foreign) {
    if (foreign.owner == this) {
      return foreign;
    }
    var copies = new HashMap<Frame, Frame>();
    var open = new ArrayDeque<Frame>();
    for (Item item : foreign.items) {
      open.push(item.frame);
    }
    while (!open.isEmpty()) {
      Frame frame = open.peek();
      int before = open.size();
      for (Item item : frame.waiting) {
        if (item.frame != null && !copies.containsKey(item.frame)) {
          open.push(item.frame);
        }
      }
      if (open.size() == before) {
        open.pop();
        copies.put(frame, frame(sorted(copy(frame.waiting, copies))));
      }
    }
    return state(sorted(copy(foreign.items, copies)), foreign.mayEnd);
  }

  private static List<Item> copy(Item[] items, Map<Frame, Frame> copies) {
    return Arrays.stream(items)
        .map(item -> item.frame == null ? item : new Item(item.state, copies.get(item.frame)))
        .toList();
  }

  /// The state of all those that no token tells from this one: they differ by counts alone that are
  /// far from where these matter.
  State alike(State state) {
    if (state.alike == null) {
      var items = alike(state.items);
      state.alike = items.equals(List.of(state.items)) ? state : state(items, state.mayEnd);
    }
    return state.alike;
  }

  private List<Item> alike(Item[] items) {
    var found = new HashSet<Item>();
    for (Item item : items) {
      found.add(
          item.frame == null
              ? item
              : new Item(grammar.alike(item.state, longest), item.frame.alike));
    }
    return sorted(found);
  }

  /// The rules that are called here, and what waits for each; those come first that may begin with
  /// others.
  private static final class Predictions {
    private final TreeMap<Integer, HashSet<Item>> byRank = new TreeMap<>();
    private final Map<Integer, Integer> rules = new HashMap<>();

    void add(int rank, int rule, Item waiting) {
      rules.put(rank, rule);
      byRank.computeIfAbsent(rank, _ -> new HashSet<>()).add(waiting);
    }
  }

  private void predict(Item item, Predictions predictions) {
    grammar.calls(
        item.state,
        (rule, to) -> {
          if (grammar.isLast(to)) { // what waits for this rule's end waits for that one's
            for (Item waiting : item.frame.waiting) {
              predictions.add(grammar.rank[rule], rule, waiting);
            }
          } else {
            predictions.add(grammar.rank[rule], rule, new Item(to, item.frame));
          }
        });
  }

  private State step(State from, int byteClass) {
    var reached = new HashSet<Item>();
    var open = new ArrayDeque<Item>();
    for (Item item : from.items) {
      int end = grammar.endOfByteSteps(item.state);
      for (int i = grammar.firstByteStep(item.state); i < end; i++) {
        var after = new Item(grammar.byteStepTo(i), item.frame);
        if (grammar.takes(i, byteClass) && reached.add(after)) {
          open.add(after);
        }
      }
    }
    boolean mayEnd = false;
    while (!open.isEmpty()) { // rules that end here
      Item item = open.remove();
      if (grammar.accepts(item.state)) {
        for (Item waiting : item.frame.waiting) {
          mayEnd |= waiting.frame == null;
          if (waiting.frame != null && reached.add(waiting)) {
            open.add(waiting);
          }
        }
        check(reached.size());
      }
    }
    if (reached.isEmpty() && !mayEnd) {
      return dead;
    }
    var kept = new ArrayList<Item>();
    var predictions = new Predictions();
    for (Item item : reached) {
      if (grammar.hasByteSteps(item.state)) {
        kept.add(item);
      }
      predict(item, predictions);
    }
    return state(kept, predictions, mayEnd);
  }

  /// The state of these items and the rules that are called there.
  private State state(List<Item> kept, Predictions predictions, boolean mayEnd) {
    for (var first = predictions.byRank.pollFirstEntry();
        first != null;
        first = predictions.byRank.pollFirstEntry()) {
      check(kept.size() + first.getValue().size());
      int rule = predictions.rules.get(first.getKey());
      var item = new Item(grammar.start(rule), frame(sorted(first.getValue())));
      if (grammar.hasByteSteps(item.state)) {
        kept.add(item);
      }
      predict(item, predictions);
    }
    return state(sorted(kept), mayEnd);
  }

  private static List<Item> sorted(Collection<Item> items) {
    return items.stream().sorted(ORDER).toList();
  }

  private static void check(int items) {
    if (items > MOST_ITEMS) {
      throw new ConstraintException(
          "the grammar is too ambiguous: the text can be read in more than %,d ways at one place"
              .formatted(MOST_ITEMS));
    }
  }

  private Frame frame(List<Item> waiting) {
    Frame known = frames.get(waiting);
    if (known == null) {
      known = new Frame(framesMade++, waiting.toArray(Item[]::new), cost(waiting));
      var alike = alike(known.waiting);
      known.alike = alike.equals(waiting) ? known : frame(alike);
      if (!isFull()) {
        frames.put(waiting, known);
        bytes += 2 * OBJECT + 48L * waiting.size();
      }
    }
    return known;
  }

  private State state(List<Item> items, boolean mayEnd) {
    var key = new Key(items, mayEnd);
    State known = states.get(key);
    if (known == null) {
      int cost = mayEnd ? 0 : cost(items);
      known = new State(items.toArray(Item[]::new), mayEnd, cost, this);
      if (!isFull()) {
        states.put(key, known);
        bytes += 4 * OBJECT + 48L * items.size() + 8L * grammar.classes;
      }
    }
    return known;
  }

  private int cost(List<Item> items) {
    int best = Costs.MOST;
    for (Item item : items) {
      best =
          Math.min(best, item.frame == null ? 0 : Costs.add(costs.of(item.state), item.frame.cost));
    }
    return best;
  }
}
