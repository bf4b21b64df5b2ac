package io.gatun.tensor.ops;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/// The memory of sequences' pages and recurrent states, within a budget.
///
/// Blocks are shared by counting who holds them. What nobody holds waits for the next sequence that
/// needs a block of its size, of whichever model, and is given back to the system where the budget
/// leaves no room for another size, or by [#trim]. Any thread may use it.
public final class KvPool implements AutoCloseable {
  private final long budget;
  private final Map<Long, Deque<Block>> free = new HashMap<>();
  private long held;
  private long used;
  private boolean closed;

  /// Memory that sequences hold.
  static final class Block {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private int holders = 1;

    Block(long bytes) {
      memory = arena.allocate(bytes, 64);
    }

    MemorySegment memory() {
      return memory;
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
  /// @throws Exhausted if the budget does not allow it
  synchronized Block take(long bytes) {
    if (closed) {
      throw new IllegalStateException("the memory of sequences is closed");
    }
    var waiting = free.get(bytes);
    if (waiting != null && !waiting.isEmpty()) {
      var block = waiting.pop();
      block.holders = 1;
      used += bytes;
      return block;
    }
    if (bytes > budget - held) {
      trim();
    }
    if (bytes > budget - held) {
      throw new Exhausted(
          "sequences need another %d bytes, and hold %d of the %d that they may take. Close one, or raise the budget"
              .formatted(bytes, used, budget));
    }
    var block = new Block(bytes);
    held += bytes;
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
      long bytes = block.memory.byteSize();
      used -= bytes;
      free.computeIfAbsent(bytes, _ -> new ArrayDeque<>()).push(block);
      if (closed) {
        trim();
      }
    }
  }

  /// Gives back to the system what nobody holds.
  public synchronized void trim() {
    for (var blocks : free.values()) {
      for (var block : blocks) {
        held -= block.memory.byteSize();
        block.arena.close();
      }
    }
    free.clear();
  }

  /// Gives back what nobody holds, and the rest as soon as its sequences are closed; a second call
  /// does nothing.
  @Override
  public synchronized void close() {
    closed = true;
    trim();
  }
}
