package io.gatun.models.engine;

import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// What was read before: a tree whose edges are pages of tokens, and whose nodes hold what the
/// model keeps of the last page on the way there. The leaves that were used longest ago go first.
/// For one thread.
final class PrefixCache implements AutoCloseable {
  private static final int PAGE = CacheLayout.PAGE;

  private final CacheLayout layout;
  private final int unit;
  private final Node root = new Node(null, null);
  private final TreeSet<Node> leaves = new TreeSet<>(Comparator.comparingLong(node -> node.used));
  private long clock;
  private int pages;

  /// @param unit the positions of which a prefix has a whole number, a multiple of [#PAGE]
  PrefixCache(CacheLayout layout, int unit) {
    this.layout = layout;
    this.unit = unit;
  }

  /// The tokens of a page.
  private record Edge(int[] tokens) {
    @Override
    public boolean equals(Object o) {
      return o instanceof Edge(int[] other) && Arrays.equals(tokens, other);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(tokens);
    }
  }

  private static final class Node {
    private final Node parent;
    private final Edge edge;
    private final Map<Edge, Node> children = new HashMap<>();
    private KvPool.Share page;
    private KvPool.Share state;
    private long used;

    Node(Node parent, Edge edge) {
      this.parent = parent;
      this.edge = edge;
    }

    boolean isInUse() {
      return page != null && !page.isLast();
    }

    void close() {
      if (page != null) {
        page.close();
      }
      if (state != null) {
        state.close();
      }
    }
  }

  /// How many of these tokens it holds, all but the last at the most.
  int match(int[] tokens, int length) {
    return usable(path(tokens, length)) * PAGE;
  }

  /// Gives an empty sequence what it holds of these tokens, all but the last at the most.
  ///
  /// @return how many those are
  /// @throws KvPool.Exhausted if there is no room for a copy of recurrent states
  int adopt(Sequence sequence, int[] tokens, int length) {
    var path = path(tokens, length);
    path.forEach(this::touch);
    int count = usable(path);
    if (count > 0) {
      int first = layout.firstPage(count * PAGE);
      var shared = new ArrayList<KvPool.Share>();
      for (int i = 0; i < count; i++) {
        shared.add(i < first ? null : path.get(i).page);
      }
      sequence.adopt(shared, path.get(count - 1).state);
    }
    return count * PAGE;
  }

  private List<Node> path(int[] tokens, int length) {
    var path = new ArrayList<Node>();
    var node = root;
    for (int at = 0; at + PAGE < length; at += PAGE) {
      node = node.children.get(new Edge(Arrays.copyOfRange(tokens, at, at + PAGE)));
      if (node == null) {
        break;
      }
      path.add(node);
    }
    return path;
  }

  /// The most nodes of a path from which a text can go on.
  private int usable(List<Node> path) {
    int step = unit / PAGE;
    for (int count = path.size() / step * step; count > 0; count -= step) {
      boolean all = layout.recurrentBytes() == 0 || path.get(count - 1).state != null;
      int first = layout.pageBytes() == 0 ? count : layout.firstPage(count * PAGE);
      for (int i = first; i < count && all; i++) {
        all = path.get(i).page != null;
      }
      if (all) {
        return count;
      }
    }
    return 0;
  }

  /// Keeps what a sequence holds of its first `length` tokens, as far as these are full pages.
  void insert(Sequence sequence, int[] tokens, int length) {
    var node = root;
    for (int i = 0; (i + 1) * PAGE <= length; i++) {
      var edge = new Edge(Arrays.copyOfRange(tokens, i * PAGE, (i + 1) * PAGE));
      var child = node.children.get(edge);
      if (child == null) {
        child = new Node(node, edge);
        leaves.remove(node);
        node.children.put(edge, child);
        pages++;
      }
      if (child.page == null) {
        child.page = sequence.sharePage(i);
      }
      if (child.state == null) {
        child.state = sequence.shareState((i + 1) * PAGE);
      }
      touch(child);
      node = child;
    }
  }

  private void touch(Node node) {
    leaves.remove(node);
    node.used = ++clock;
    if (node.children.isEmpty()) {
      leaves.add(node);
    }
  }

  /// Forgets the page that was used longest ago and that no sequence holds.
  ///
  /// @return whether there was one
  boolean evict() {
    for (var leaf : leaves) {
      if (!leaf.isInUse()) {
        remove(leaf);
        return true;
      }
    }
    return false;
  }

  /// The pages that [#evict] can forget one after the other.
  int evictable() {
    int sum = 0;
    var left = new ArrayDeque<Node>(List.of(root));
    while (!left.isEmpty()) {
      var node = left.pop();
      sum += node == root || node.isInUse() ? 0 : 1;
      left.addAll(node.children.values());
    }
    return sum;
  }

  private void remove(Node leaf) {
    leaves.remove(leaf);
    leaf.close();
    pages--;
    leaf.parent.children.remove(leaf.edge);
    if (leaf.parent != root && leaf.parent.children.isEmpty()) {
      leaves.add(leaf.parent);
    }
  }

  /// The pages that it holds.
  int pages() {
    return pages;
  }

  /// Forgets all.
  @Override
  public void close() {
    while (!leaves.isEmpty()) {
      remove(leaves.first());
    }
  }
}
