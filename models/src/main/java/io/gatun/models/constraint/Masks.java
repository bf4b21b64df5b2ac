package io.gatun.models.constraint;

import io.gatun.models.constraint.States.State;
import io.gatun.models.constraint.TokenTrie.Group;
import io.gatun.models.constraint.expr.CodePoints;
import io.gatun.models.constraint.expr.Utf8;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/// Which tokens may follow where, for one grammar and one vocabulary: walks over the vocabulary's
/// tries, of which the results are kept with the states. For any number of threads.
final class Masks {
  /// What is kept of states and what of masks; with more, all begins anew.
  private static final long MOST_STATE_BYTES = 24L << 20;

  private static final long MOST_MASK_BYTES = 24L << 20;

  /// More states than this where plain text may go on are not looked at.
  private static final int MOST_PLAIN = 16;

  /// What may follow in a state.
  ///
  /// @param tokens a bit for each
  /// @param worst how many tokens it takes at most to end the text after the worst of these
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Mask(long[] tokens, int worst) {}

  private static final List<int[]> PLAIN =
      Utf8.sequences(
          CodePoints.range(' ', 0x10FFFF).minus(CodePoints.of('"')).minus(CodePoints.of('\\')));

  private final Grammar grammar;
  private final TokenTrie vocabulary;
  private final Costs costs;
  private States states;
  private long maskBytes;
  private State[] path = new State[64];

  Masks(Grammar grammar, TokenTrie vocabulary) {
    this.grammar = grammar;
    this.vocabulary = vocabulary;
    costs = Costs.of(grammar, vocabulary);
    begin();
  }

  private void begin() {
    states = new States(grammar, costs, vocabulary.longest(), MOST_STATE_BYTES);
    maskBytes = 0;
  }

  TokenTrie vocabulary() {
    return vocabulary;
  }

  synchronized State start() {
    return states.start();
  }

  /// The state after some bytes, or null if they may not follow.
  synchronized State next(State from, byte[] bytes) {
    State state = states.adopt(from);
    for (byte b : bytes) {
      state = states.next(state, b);
    }
    return state == states.dead ? null : state;
  }

  /// What may follow, with what ends an answer if the text may end.
  synchronized long[] mask(State state) {
    return whole(state).tokens;
  }

  /// What may follow so that `rest` tokens suffice for it and the rest of the text; if none do,
  /// what comes closest to the end.
  synchronized long[] mask(State state, int rest) {
    Mask whole = whole(state);
    if (whole.worst < rest) {
      return whole.tokens;
    }
    State from = states.alike(states.adopt(state));
    long[] known = from.shorter.get(rest);
    if (known == null) {
      known = shorter(from, rest);
      from.shorter.put(rest, known);
      maskBytes += 8L * vocabulary.words();
    }
    return known;
  }

  private long[] shorter(State from, int rest) {
    int[] least = {Costs.MOST};
    long[] shorter = within(from, rest - 1, true, least);
    if (least[0] >= rest && !from.mayEnd) {
      within(from, rest - 1, false, least);
      shorter = within(from, least[0], true, least);
    }
    addEnds(shorter, from);
    return shorter;
  }

  /// The tokens after which the text can end within `most` more. Lowers `least` to what it takes
  /// after the best of these, or of all.
  ///
  /// @param skips whether tokens are passed over of which none is among them
  private long[] within(State from, int most, boolean skips, int[] least) {
    var tokens = new long[vocabulary.words()];
    var plain = plain(from);
    for (Group group : vocabulary.groups()) {
      if (plain.refuses(group)) {
        continue;
      }
      if (plain.takes(group) && plain.most(group) <= most) {
        add(tokens, group);
        least[0] = group.size() > 0 ? Math.min(least[0], most) : least[0];
        continue;
      }
      if (plain.takes(group) && skips && plain.least(group) > most) {
        continue;
      }
      walk(
          group,
          from,
          (node, after) -> {
            least[0] = Math.min(least[0], after.cost);
            if (after.cost <= most) {
              add(tokens, group, node);
            }
          });
    }
    return tokens;
  }

  private Mask whole(State asked) {
    if (asked.mask != null) {
      return asked.mask;
    }
    if (states.isFull() || maskBytes > MOST_MASK_BYTES) {
      begin();
    }
    State state = states.adopt(asked);
    State alike = states.alike(state);
    if (alike.mask == null) {
      alike.mask = find(alike);
      maskBytes += 8L * vocabulary.words();
    }
    state.mask = alike.mask;
    return state.mask;
  }

  private Mask find(State state) {
    var tokens = new long[vocabulary.words()];
    int[] worst = {0};
    var plain = plain(state);
    for (Group group : vocabulary.groups()) {
      if (plain.takes(group)) {
        add(tokens, group);
        worst[0] = Math.max(worst[0], plain.most(group));
      } else if (!plain.refuses(group)) {
        walk(
            group,
            state,
            (node, after) -> {
              add(tokens, group, node);
              worst[0] = Math.max(worst[0], after.cost);
            });
      }
    }
    addEnds(tokens, state);
    return new Mask(tokens, worst[0]);
  }

  /// Tokens that spell what must follow, as far as that is sure: the longest that fits comes first.
  /// One that ends with it is not among them, for a longer one may be meant.
  synchronized int[] forced(State state, int most) {
    var text = new ByteArrayOutputStream();
    var at = states.adopt(state);
    for (int b = states.only(at); b >= 0 && text.size() < most * vocabulary.longest(); ) {
      text.write(b);
      at = states.next(at, b);
      b = states.only(at);
    }
    byte[] bytes = text.toByteArray();
    var ids = IntStream.builder();
    int count = 0;
    for (int from = 0; from < bytes.length && count < most; count++) {
      int id = vocabulary.longest(bytes, from);
      from += id < 0 ? bytes.length : vocabulary.bytes(id).length;
      if (from < bytes.length || (from == bytes.length && at.isLast())) {
        ids.add(id);
      }
    }
    return ids.build().toArray();
  }

  private void addEnds(long[] tokens, State state) {
    for (int i = 0; state.mayEnd && i < tokens.length; i++) {
      tokens[i] |= vocabulary.ends()[i];
    }
  }

  private static void add(long[] tokens, Group group) {
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] |= group.tokens()[i];
    }
  }

  private static void add(long[] tokens, Group group, int node) {
    for (int i = group.idAt()[node]; i < group.idAt()[node + 1]; i++) {
      tokens[group.ids()[i] >> 6] |= 1L << group.ids()[i];
    }
  }

  private interface Visitor {
    void visit(int node, State after);
  }

  /// Visits the nodes at which tokens end that may follow.
  private void walk(Group group, State from, Visitor visitor) {
    if (path.length <= vocabulary.longest()) {
      path = new State[vocabulary.longest() + 1];
    }
    path[0] = from;
    byte[] labels = group.labels();
    int[] depths = group.depths();
    int[] ends = group.ends();
    int[] idAt = group.idAt();
    for (int node = 0; node < labels.length; ) {
      int depth = depths[node];
      State after = states.next(path[depth], labels[node]);
      if (after == states.dead) {
        node = ends[node];
      } else {
        if (idAt[node] < idAt[node + 1]) {
          visitor.visit(node, after);
        }
        path[depth + 1] = after;
        node++;
      }
    }
  }

  /// What follows where a state takes any characters that a JSON string may have as they are.
  ///
  /// @param length how many; [TokenTrie#LONGEST_PLAIN] is as good as any number
  /// @param full whether none at all may follow these
  /// @param least for each number of these, from 1 on, the fewest tokens that the text may need
  ///   then
  /// @param most the most
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Plain(int length, boolean full, int[] least, int[] most) {
    /// The extreme of what is needed after the characters of a group's tokens.
    int least(Group group) {
      int sum = Costs.MOST;
      for (int i = 0; i < group.plain(); i++) {
        sum = Math.min(sum, least[i]);
      }
      return sum;
    }

    int most(Group group) {
      int sum = 0;
      for (int i = 0; i < group.plain(); i++) {
        sum = Math.max(sum, most[i]);
      }
      return sum;
    }

    /// Whether all tokens of a group may follow.
    boolean takes(Group group) {
      return group.plain() >= 0 && group.plain() <= length;
    }

    /// Whether none of them may.
    boolean refuses(Group group) {
      return full && group.leastPlain() > length;
    }
  }

  private Plain plain(State from) {
    var least = new int[TokenTrie.LONGEST_PLAIN];
    var most = new int[TokenTrie.LONGEST_PLAIN];
    Set<State> now = Set.of(from);
    for (int length = 0; length < TokenTrie.LONGEST_PLAIN; length++) {
      var after = new HashSet<State>();
      for (State state : now) {
        PLAIN.forEach(sequence -> follow(state, sequence, after));
      }
      if (after.contains(states.dead) || after.size() > MOST_PLAIN) {
        return new Plain(length, after.equals(Set.of(states.dead)), least, most);
      }
      least[length] = after.stream().mapToInt(state -> state.cost).min().orElse(Costs.MOST);
      most[length] = after.stream().mapToInt(state -> state.cost).max().orElse(0);
      if (after.equals(now)) {
        Arrays.fill(least, length + 1, least.length, least[length]);
        Arrays.fill(most, length + 1, most.length, most[length]);
        break;
      }
      now = after;
    }
    return new Plain(TokenTrie.LONGEST_PLAIN, false, least, most);
  }

  /// Adds to `after` where the bytes of a sequence lead.
  private void follow(State from, int[] sequence, Set<State> after) {
    Set<State> now = Set.of(from);
    for (int i = 0; i < sequence.length; i += 2) {
      var next = new HashSet<State>();
      for (State state : now) {
        int last = -1;
        for (int b = sequence[i]; b <= sequence[i + 1]; b++) {
          if (grammar.classOf[b] != last) {
            last = grammar.classOf[b];
            next.add(states.next(state, b));
          }
        }
      }
      now = next;
    }
    after.addAll(now);
  }
}
