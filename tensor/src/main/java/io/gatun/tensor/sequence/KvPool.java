package io.gatun.tensor.sequence;

import io.gatun.ffm.RawArena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/// The memory of sequences' pages and recurrent states, within a budget.
///
/// Blocks are shared by counting who holds them. What nobody holds waits for the next sequence that
/// needs such a block, of whichever model, and is given back to the system where the budget leaves
/// no room for another size, or by [#trim]. Any thread may use it.
public final class KvPool implements AutoCloseable {
  private static final long SLAB = 32L << 20;
  private static final int MAX_BLOCKS = 16;

  /// What is left of a small budget is taken in so many slabs, for sequences of other models.
  private static final int SLABS_LEFT = 16;

  private final long budget;
  private final Map<List<Long>, Deque<Block>> free = new HashMap<>();
  private long held;
  private long used;
  private boolean closed;

  /// Some blocks of the same runs in huge pages, the first run of each block side by side, then the
  /// second: attention goes from page to page, and the processor reads ahead only what follows.
  private static final class Slab {
    private final RawArena arena = new RawArena();
    private final List<Long> runs;
    private final long[] sizes;
    private final long[] starts;
    private final MemorySegment memory;
    private final Block[] blocks;
    private int waiting;

    Slab(List<Long> runs, int count) {
      this.runs = runs;
      sizes = runs.stream().mapToLong(Long::longValue).toArray();
      starts = new long[sizes.length];
      long all = 0;
      for (int i = 0; i < starts.length; i++) {
        starts[i] = all;
        all += sizes[i] * count;
      }
      memory = arena.reserve(all);
      blocks = new Block[count];
      for (int i = 0; i < count; i++) {
        blocks[i] = new Block(this, i);
      }
      waiting = count;
    }
  }

  /// Memory that sequences hold, in runs.
  static final class Block {
    private final Slab slab;
    private final int index;
    private int holders;

    private Block(Slab slab, int index) {
      this.slab = slab;
      this.index = index;
    }

    /// What holds all its runs, among others.
    MemorySegment memory() {
      return slab.memory;
    }

    /// Where a run begins, in bytes.
    long at(int run) {
      return slab.starts[run] + index * slab.sizes[run];
    }

    List<Long> runs() {
      return slab.runs;
    }

    MemorySegment run(int run) {
      return slab.memory.asSlice(at(run), slab.sizes[run]);
    }

    void copyFrom(Block other) {
      for (int i = 0; i < slab.starts.length; i++) {
        run(i).copyFrom(other.run(i));
      }
    }
  }

  private static long bytes(List<Long> runs) {
    return runs.stream().mapToLong(Long::longValue).sum();
  }

  /// A page or states of a [Sequence], held for those that come later with the same text. They are
  /// read by all who hold them and written by none.
  public static final class Share implements AutoCloseable {
    private final KvPool pool;
    private Block block;

    Share(KvPool pool, Block block) {
      this.pool = pool;
      this.block = pool.share(block);
    }

    /// Whether nobody else holds the memory, so that closing this gives it back.
    public boolean isLast() {
      return block != null && !pool.isShared(block);
    }

    Block block() {
      if (block == null) {
        throw new IllegalStateException("what was shared is closed");
      }
      return block;
    }

    /// Holds it no longer; a second call does nothing.
    @Override
    public void close() {
      if (block != null) {
        pool.release(block);
        block = null;
      }
    }
  }

  /// No block can be had: all that the budget allows are held by sequences.
  public static final class Exhausted extends IllegalStateException {
    private static final long serialVersionUID = 1;

    Exhausted(String message) {
      super(message);
    }
  }

  /// @param budget the most bytes that it may take
  /// @throws IllegalArgumentException if that is less than 1
  public KvPool(long budget) {
    if (budget < 1) {
      throw new IllegalArgumentException("budget is " + budget + "; need at least 1 byte");
    }
    this.budget = budget;
  }

  /// The most bytes that it may take.
  public long budget() {
    return budget;
  }

  /// The bytes that sequences hold, each block counted once however many share it.
  public synchronized long used() {
    return used;
  }

  /// The bytes taken from the system, in use or waiting for it.
  public synchronized long byteSize() {
    return held;
  }

  /// A block with whatever it held, for one holder.
  ///
  /// @param runs the bytes of each
  /// @throws Exhausted if the budget does not allow it
  synchronized Block take(List<Long> runs) {
    if (closed) {
      throw new IllegalStateException("the memory of sequences is closed");
    }
    var waiting = free.computeIfAbsent(runs, _ -> new ArrayDeque<>());
    long bytes = bytes(runs);
    if (waiting.isEmpty()) {
      if (bytes > budget - held) {
        trim();
      }
      if (bytes > budget - held) {
        throw new Exhausted(
            "sequences need another %d bytes, and hold %d of the %d that they may take. Close one, or raise the budget"
                .formatted(bytes, used, budget));
      }
      long fit = Math.min(SLAB, (budget - held) / SLABS_LEFT) / bytes;
      var slab = new Slab(runs, Math.clamp(fit, 1, MAX_BLOCKS));
      held += bytes * slab.blocks.length;
      waiting.addAll(List.of(slab.blocks));
    }
    var block = waiting.pop();
    block.holders = 1;
    block.slab.waiting--;
    used += bytes;
    return block;
  }

  /// Counts another holder.
  synchronized Block share(Block block) {
    block.holders++;
    return block;
  }

  synchronized boolean isShared(Block block) {
    return block.holders > 1;
  }

  /// Counts a holder less.
  synchronized void release(Block block) {
    if (--block.holders == 0) {
      used -= bytes(block.slab.runs);
      block.slab.waiting++;
      free.get(block.slab.runs).push(block);
      if (closed) {
        trim();
      }
    }
  }

  /// Gives back to the system what nobody holds, but for blocks whose neighbours are held.
  public synchronized void trim() {
    for (var blocks : free.values()) {
      var unused = new HashSet<Slab>();
      blocks.removeIf(
          block -> {
            boolean whole = block.slab.waiting == block.slab.blocks.length;
            if (whole) {
              unused.add(block.slab);
            }
            return whole;
          });
      for (var slab : unused) {
        held -= slab.memory.byteSize();
        slab.arena.closeUnused();
      }
    }
  }

  /// Gives back what nobody holds, and the rest as soon as its sequences are closed; a second call
  /// does nothing.
  @Override
  public synchronized void close() {
    closed = true;
    trim();
  }
}
