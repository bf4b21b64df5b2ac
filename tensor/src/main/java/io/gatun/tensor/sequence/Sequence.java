package io.gatun.tensor.sequence;

import static io.gatun.tensor.sequence.CacheLayout.PAGE;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Owner;
import io.gatun.tensor.sequence.KvPool.Block;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;

/// What a model keeps of one text: the keys and values of its positions, in pages of a [KvPool],
/// and recurrent states.
///
/// A step makes room for its positions ([#reserve]), says that it [begins][#begin], stores them and
/// counts them ([#advance]). Recurrent states change while it runs: if it ends early, they are
/// lost, and the sequence must go back to where they were [saved][#save], or to the beginning.
public final class Sequence implements AutoCloseable {
  /// Saved states that are kept, the latest.
  private static final int SAVED = 4;

  private final KvPool pool;
  private final CacheLayout layout;
  private final int capacity;
  private final Owner owner = new Owner("conversation");
  // null where the page lay behind all windows
  private final List<Block> pages = new ArrayList<>();
  private final TreeMap<Integer, Block> saved = new TreeMap<>();
  private Block state;
  private int length;
  private boolean begun;
  private volatile boolean notFinite;

  /// An empty sequence.
  ///
  /// @param capacity the most positions it may hold
  /// @throws IllegalArgumentException if that is less than 1
  public Sequence(KvPool pool, CacheLayout layout, int capacity) {
    if (capacity < 1) {
      throw new IllegalArgumentException("capacity is " + capacity + "; need at least 1");
    }
    this.pool = pool;
    this.layout = layout;
    this.capacity = capacity;
  }

  /// The positions that it holds.
  public int length() {
    return length;
  }

  /// The most positions that it may hold.
  public int capacity() {
    return capacity;
  }

  public CacheLayout layout() {
    return layout;
  }

  /// Whose turn it is to use the sequence: hold a turn around what must not be mixed with what
  /// other threads do.
  public Owner owner() {
    return owner;
  }

  /// The memory that it holds, shared or not.
  public long byteSize() {
    long blocks = saved.size() + (state == null ? 0 : 1);
    long held = pages.stream().filter(page -> page != null).count();
    return held * layout.pageBytes() + blocks * layout.recurrentBytes();
  }

  /// Makes room for so many positions after those that it holds.
  ///
  /// @throws IndexOutOfBoundsException if that exceeds the capacity
  /// @throws KvPool.Exhausted if the pool has no room; the sequence is as before
  /// @throws IllegalStateException if the last step ended early and recurrent states are lost, or
  ///   the sequence is closed
  public void reserve(int tokens) {
    try (var _ = owner.claim()) {
      if (tokens < 0 || tokens > capacity - length) {
        throw new IndexOutOfBoundsException(
            "positions %d..%d; the conversation holds %d"
                .formatted(length, length + tokens - 1, capacity));
      }
      if (begun && hasRecurrent()) {
        throw new IllegalStateException(
            "the last step ended early, and what it had changed is lost; go back to position %d and read again"
                .formatted(restorable(length)));
      }
      if (hasRecurrent() && state == null) {
        state = pool.take(List.of(layout.recurrentBytes()));
        state.run(0).fill((byte) 0);
      }
      if (layout.pageBytes() > 0) {
        ownLastPage();
        grow(Math.ceilDiv(length + tokens, PAGE));
      }
    }
  }

  /// What is written to must not be read by others.
  private void ownLastPage() {
    int last = length / PAGE;
    if (length % PAGE != 0 && pool.isShared(pages.get(last))) {
      var shared = pages.get(last);
      pages.set(last, copy(shared));
      pool.release(shared);
    }
  }

  private Block copy(Block block) {
    var copy = pool.take(block.runs());
    copy.copyFrom(block);
    return copy;
  }

  private void grow(int needed) {
    int before = pages.size();
    try {
      while (pages.size() < needed) {
        pages.add(pool.take(layout.pageRuns()));
      }
    } catch (RuntimeException | Error e) {
      shrink(before);
      throw e;
    }
  }

  private void shrink(int count) {
    while (pages.size() > count) {
      var page = pages.removeLast();
      if (page != null) {
        pool.release(page);
      }
    }
  }

  /// A step that changes it begins.
  public void begin() {
    begun = true;
  }

  /// The step is done, and so many positions more are held. Pages that no further row sees are
  /// given back.
  ///
  /// @throws IllegalStateException if there is no room for them
  public void advance(int tokens) {
    try (var _ = owner.claim()) {
      if (layout.pageBytes() > 0 && length + tokens > pages.size() * PAGE) {
        throw new IllegalStateException(
            "%d positions after %d; room for them was not reserved".formatted(tokens, length));
      }
      length += tokens;
      begun = false;
      for (int i = layout.firstPage(length) - 1; i >= 0 && pages.get(i) != null; i--) {
        pool.release(pages.get(i));
        pages.set(i, null);
      }
    }
  }

  /// Another sequence of the same positions, which grows on its own. They share the pages; states
  /// are copied.
  ///
  /// @throws KvPool.Exhausted if the pool has no room for a copy of the states
  /// @throws IllegalStateException if the last step ended early, or the sequence is closed
  public Sequence fork() {
    try (var _ = owner.claim()) {
      if (begun && hasRecurrent()) {
        throw new IllegalStateException("the last step ended early; its states cannot be copied");
      }
      var fork = new Sequence(pool, layout, capacity);
      fork.state = state == null ? null : copy(state);
      fork.length = length;
      fork.notFinite = notFinite;
      for (var page : pages.subList(0, Math.min(pages.size(), Math.ceilDiv(length, PAGE)))) {
        fork.pages.add(page == null ? null : pool.share(page));
      }
      saved.forEach((at, block) -> fork.saved.put(at, pool.share(block)));
      return fork;
    }
  }

  /// The page of the positions from `index * PAGE` on, for [#adopt]; null if there are no pages, it
  /// lay behind all windows, or the sequence holds what is no number.
  ///
  /// @throws IndexOutOfBoundsException if it is not full yet
  public KvPool.Share sharePage(int index) {
    try (var _ = owner.claim()) {
      Objects.checkIndex(index, length / PAGE);
      var page = layout.pageBytes() == 0 || notFinite ? null : pages.get(index);
      return page == null ? null : new KvPool.Share(pool, page);
    }
  }

  /// The recurrent states as they were [saved][#save] after so many positions, for [#adopt]; null
  /// if they were not.
  public KvPool.Share shareState(int positions) {
    try (var _ = owner.claim()) {
      var state = saved.get(positions);
      return state == null ? null : new KvPool.Share(pool, state);
    }
  }

  /// Makes an empty sequence one that holds the positions of these pages, as if it had read them.
  ///
  /// @param shared all pages from the first on; null for those before [CacheLayout#firstPage], and
  ///   where there are no pages
  /// @param states after these positions; null for a model without recurrent ones
  /// @throws KvPool.Exhausted if the pool has no room for a copy of the states; nothing has changed
  /// @throws IllegalStateException if it is not empty, or closed
  public void adopt(List<KvPool.Share> shared, KvPool.Share states) {
    try (var _ = owner.claim()) {
      if (length > 0 || begun || !pages.isEmpty() || state != null) {
        throw new IllegalStateException(
            "pages are for an empty sequence; this one holds " + length + " positions");
      }
      if (states != null) {
        state = copy(states.block());
        saved.put(shared.size() * PAGE, pool.share(states.block()));
      }
      if (layout.pageBytes() > 0) {
        shared.forEach(page -> pages.add(page == null ? null : pool.share(page.block())));
      }
      length = shared.size() * PAGE;
    }
  }

  /// Keeps a copy of the recurrent states, to which [#truncate] can go back, if the model has such
  /// states and the pool has room. The oldest of many is dropped.
  public void save() {
    try (var _ = owner.claim()) {
      if (state == null || begun || saved.containsKey(length)) {
        return;
      }
      if (saved.size() == SAVED) {
        pool.release(saved.pollFirstEntry().getValue());
      }
      saved.put(length, copy(state));
    } catch (KvPool.Exhausted e) {
      // Without it more is read again, and nothing else.
    }
  }

  /// The most positions, up to `to`, that [#truncate] can keep: with recurrent states as many as
  /// were held when they were saved, or none; and none whose window has been given back.
  public int restorable(int to) {
    int kept = Math.min(to, length);
    if (hasRecurrent() && (kept < length || begun)) {
      var before = saved.floorKey(kept);
      kept = before == null ? 0 : before;
    }
    int unseen = layout.firstPage(kept);
    return unseen < pages.size() && pages.get(unseen) == null ? 0 : kept;
  }

  /// Forgets all positions from `to` on, if there are any.
  ///
  /// @throws IllegalArgumentException if `to` is negative
  /// @throws IllegalStateException if it cannot go back there, as [#restorable] tells, or is closed
  public void truncate(int to) {
    if (to < 0) {
      throw new IllegalArgumentException("cannot keep " + to + " tokens; need 0 or more");
    }
    try (var _ = owner.claim()) {
      int kept = Math.min(to, length);
      if (restorable(kept) != kept) {
        throw new IllegalStateException(
            "cannot go back to position %d of %d: its states are no longer there; position %d can be reached, read on from there"
                .formatted(kept, length, restorable(kept)));
      }
      if (kept < length || begun) {
        restoreState(kept);
      }
      length = kept;
      begun = false;
      shrink(Math.ceilDiv(kept, PAGE));
    }
  }

  private void restoreState(int to) {
    while (!saved.isEmpty() && saved.lastKey() > to) {
      pool.release(saved.pollLastEntry().getValue());
    }
    if (state != null && to == 0) {
      state.run(0).fill((byte) 0);
    } else if (state != null) {
      state.copyFrom(saved.get(to));
    }
  }

  private boolean hasRecurrent() {
    return layout.recurrentBytes() > 0;
  }

  /// The recurrent tensors of a part, to be read and changed in a step.
  ///
  /// @throws IllegalArgumentException if the part has none
  /// @throws IllegalStateException if no room was reserved, or the sequence is closed
  public List<Tensor> recurrent(int part) {
    owner.checkOpen();
    if (!(layout.states().get(part) instanceof LayerState.Recurrent r)) {
      throw new IllegalArgumentException("part " + part + " has no recurrent states");
    }
    if (state == null) {
      throw new IllegalStateException("no room was reserved for recurrent states");
    }
    var tensors = new ArrayList<Tensor>(r.shapes().size());
    long at = layout.at(part);
    for (var shape : r.shapes()) {
      var memory = state.run(0).asSlice(at, 4 * shape.size());
      tensors.add(Tensor.of(memory, DType.Plain.F32, shape));
      at += CacheLayout.bytes(shape);
    }
    return tensors;
  }

  /// The keys and values of a part, in which those of so many positions have room.
  ///
  /// @throws IllegalArgumentException if the part has none
  /// @throws IndexOutOfBoundsException if no room was [reserved][#reserve]
  public KvPages keyValues(int part, long positions) {
    if (positions > (long) pages.size() * PAGE) {
      throw new IndexOutOfBoundsException(
          "position %d; there is room for %d".formatted(positions - 1, pages.size() * PAGE));
    }
    return new KvPages(this, part);
  }

  Block page(int index) {
    return pages.get(index);
  }

  /// Whether all keys and values are numbers that their type can hold.
  boolean isFinite() {
    return !notFinite;
  }

  void notFinite() {
    notFinite = true;
  }

  /// Gives the memory back, after an operation of another thread that uses it; a second call does
  /// nothing.
  @Override
  public void close() {
    owner.close(
        () -> {
          shrink(0);
          saved.values().forEach(pool::release);
          saved.clear();
          if (state != null) {
            pool.release(state);
            state = null;
          }
        });
  }
}
