package io.gatun.models.constraint;

import io.gatun.models.constraint.expr.CodePoints;
import io.gatun.models.constraint.expr.Expr;
import io.gatun.models.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.WeakHashMap;

/// The bytes of a vocabulary's tokens, as tries. There is one for each tokenizer.
///
/// Tokens that are nothing but characters that any JSON string may have are in tries of their own,
/// by how many characters they have: where any text of so many is allowed, such a trie need not be
/// walked. Special tokens are spelled as [marks][Expr.Mark].
final class TokenTrie {
  private static final Map<Tokenizer, TokenTrie> KNOWN = new WeakHashMap<>();
  private static final long FACTOR = new SplittableRandom().nextLong() | 1;

  /// The most characters of each group.
  private static final int[] LENGTHS = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32};

  /// The most characters of tokens in such a group.
  static final int LONGEST_PLAIN = LENGTHS[LENGTHS.length - 1];

  /// Nodes in the order in which a walk from the root comes to them, children by their byte.
  ///
  /// @param leastPlain how many plain characters its tokens have at least, or 0 if they have others
  /// @param plain how many they have at most, or -1
  /// @param tokens all of its tokens, a bit for each
  /// @param labels the byte that leads to each node
  /// @param depths how many bytes come before that
  /// @param ends for each node the first that is not below it
  /// @param idAt for each node where its ids begin in `ids`
  /// @param ids the tokens that end at the nodes
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Group(
      int leastPlain,
      int plain,
      long[] tokens,
      byte[] labels,
      int[] depths,
      int[] ends,
      int[] idAt,
      int[] ids) {
    int size() {
      return labels.length;
    }
  }

  private final List<Group> groups = new ArrayList<>();
  private final byte[][] bytes;
  private final long[] ends;
  private final long[] hashes; // of all tokens, by open addressing
  private final int longest;

  private record Entry(byte[] bytes, int id) {}

  private TokenTrie(Tokenizer tokenizer) {
    int size = tokenizer.size();
    bytes = new byte[size][];
    ends = new long[size + 63 >> 6];
    hashes = new long[Integer.highestOneBit(Math.max(8, size)) << 2];
    var entries = new ArrayList<List<Entry>>();
    for (int i = 0; i <= LENGTHS.length; i++) {
      entries.add(new ArrayList<>());
    }
    int most = 0;
    for (int id = 0; id < size; id++) {
      if (tokenizer.isEnd(id)) {
        ends[id >> 6] |= 1L << id;
      } else if (tokenizer.has(id)) {
        byte[] spelled =
            tokenizer.isSpecial(id) ? Expr.Mark.bytes(tokenizer.piece(id)) : tokenizer.bytes(id);
        if (spelled.length > 0) {
          bytes[id] = spelled;
          most = Math.max(most, spelled.length);
          entries.get(group(spelled)).add(new Entry(spelled, id));
          addHash(hash(spelled));
        }
      }
    }
    longest = most;
    for (int i = 0; i < entries.size(); i++) {
      groups.add(group(i, entries.get(i)));
    }
  }

  /// The tries of a tokenizer.
  static TokenTrie of(Tokenizer tokenizer) {
    synchronized (KNOWN) {
      return KNOWN.computeIfAbsent(tokenizer, TokenTrie::new);
    }
  }

  /// How many ids there are.
  int size() {
    return bytes.length;
  }

  /// How many longs a set of tokens takes.
  int words() {
    return ends.length;
  }

  List<Group> groups() {
    return groups;
  }

  /// The bytes that a token stands for, or null if it is none that a text can have.
  byte[] bytes(int id) {
    return bytes[id];
  }

  /// The tokens that end an answer, a bit for each.
  long[] ends() {
    return ends;
  }

  boolean isEnd(int id) {
    return (ends[id >> 6] >>> id & 1) != 0;
  }

  /// The bytes of the longest token.
  int longest() {
    return longest;
  }

  /// The longest token that these bytes go on with, or -1.
  int longest(byte[] text, int from) {
    int best = -1;
    int length = 0;
    for (var group : groups) {
      int end = group.size();
      int depth = 0;
      for (int node = 0; node < end && from + depth < text.length; ) {
        if (group.labels[node] != text[from + depth]) {
          node = group.ends[node];
          continue;
        }
        depth++;
        if (group.idAt[node] < group.idAt[node + 1] && depth > length) {
          best = group.ids[group.idAt[node]];
          length = depth;
        }
        end = group.ends[node];
        node++;
      }
    }
    return best;
  }

  /// The hash of the bytes of `hash` and one more; that of none is 0.
  static long hash(long hash, int next) {
    return hash * FACTOR + (next & 0xFF) + 1;
  }

  private static long hash(byte[] bytes) {
    long hash = 0;
    for (byte b : bytes) {
      hash = hash(hash, b);
    }
    return hash;
  }

  private int slot(long hash) {
    return (int) (hash >>> 32 ^ hash) & hashes.length - 1;
  }

  private void addHash(long hash) {
    int slot = slot(hash);
    while (hashes[slot] != 0 && hashes[slot] != hash) {
      slot = slot + 1 & hashes.length - 1;
    }
    hashes[slot] = hash;
  }

  /// Whether a token has the bytes of this hash.
  boolean hasToken(long hash) {
    int slot = slot(hash);
    while (hashes[slot] != 0) {
      if (hashes[slot] == hash) {
        return true;
      }
      slot = slot + 1 & hashes.length - 1;
    }
    return false;
  }

  private static int group(byte[] bytes) {
    int characters = plainCharacters(bytes);
    for (int i = 0; i < LENGTHS.length && characters > 0; i++) {
      if (characters <= LENGTHS[i]) {
        return i;
      }
    }
    return LENGTHS.length;
  }

  /// How many characters these bytes are if they are whole ones that a JSON string may have as they
  /// are, or -1.
  private static int plainCharacters(byte[] bytes) {
    int count = 0;
    for (int i = 0; i < bytes.length; count++) {
      int b = bytes[i];
      boolean begins = b >= 0 ? b >= ' ' && b != '"' && b != '\\' : (b & 0xFF) >= 0xC2;
      if (!begins || (b & 0xFF) > 0xF4) {
        return -1;
      }
      int length = b >= 0 ? 1 : (b & 0xE0) == 0xC0 ? 2 : (b & 0xF0) == 0xE0 ? 3 : 4;
      int c = b >= 0 ? b : b & 0x7F >> length;
      for (int k = 1; k < length; k++) {
        if (i + k >= bytes.length || (bytes[i + k] & 0xC0) != 0x80) {
          return -1;
        }
        c = c << 6 | bytes[i + k] & 0x3F;
      }
      int least = length == 1 ? 0 : length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
      if (c < least || !CodePoints.ALL.contains(c)) {
        return -1;
      }
      i += length;
    }
    return count;
  }

  private Group group(int number, List<Entry> entries) {
    entries.sort((a, b) -> Arrays.compareUnsigned(a.bytes, b.bytes));
    int nodes = 0;
    byte[] before = {};
    for (Entry entry : entries) {
      nodes += entry.bytes.length - common(before, entry.bytes);
      before = entry.bytes;
    }
    var group =
        new Group(
            number == LENGTHS.length ? 0 : number == 0 ? 1 : LENGTHS[number - 1] + 1,
            number == LENGTHS.length ? -1 : LENGTHS[number],
            new long[words()],
            new byte[nodes],
            new int[nodes],
            new int[nodes],
            new int[nodes + 1],
            new int[entries.size()]);
    int[] path = new int[longest];
    int depth = 0;
    int node = 0;
    before = new byte[0];
    for (int i = 0; i < entries.size(); i++) {
      byte[] now = entries.get(i).bytes;
      for (int shared = common(before, now); depth > shared; depth--) {
        group.ends[path[depth - 1]] = node;
      }
      for (; depth < now.length; depth++) {
        group.labels[node] = now[depth];
        group.depths[node] = depth;
        group.idAt[node] = i;
        path[depth] = node++;
      }
      int id = entries.get(i).id;
      group.ids[i] = id;
      group.tokens[id >> 6] |= 1L << id;
      before = now;
    }
    for (; depth > 0; depth--) {
      group.ends[path[depth - 1]] = node;
    }
    group.idAt[nodes] = entries.size();
    return group;
  }

  private static int common(byte[] a, byte[] b) {
    int at = Arrays.mismatch(a, b);
    return at < 0 ? a.length : at;
  }
}
