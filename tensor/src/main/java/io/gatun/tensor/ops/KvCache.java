package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// The keys and values of the positions seen so far, in session memory that grows by pages.
///
/// A page holds [#PAGE] positions of every layer. Within a layer and head the keys lie transposed,
/// (C, PAGE), and the values as they come, (PAGE, C): so both products of attention run along
/// memory.
public final class KvCache implements AutoCloseable {
  /// Positions in a page.
  static final int PAGE = 64;

  private final int layers;
  private final int heads;
  private final int headSize;
  private final DType.Plain dtype;
  private final int capacity;
  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment> pages = new ArrayList<>();

  /// An empty cache.
  ///
  /// @param heads key/value heads, G
  /// @param dtype F32, F16 or BF16
  /// @param capacity the most positions it may hold
  public KvCache(int layers, int heads, int headSize, DType.Plain dtype, int capacity) {
    if (dtype != DType.Plain.F32 && dtype != DType.Plain.F16 && dtype != DType.Plain.BF16) {
      throw new IllegalArgumentException("cache type is " + dtype + "; need F32, F16 or BF16");
    }
    this.layers = layers;
    this.heads = heads;
    this.headSize = headSize;
    this.dtype = dtype;
    this.capacity = capacity;
  }

  /// The most positions it may hold.
  public int capacity() {
    return capacity;
  }

  public int heads() {
    return heads;
  }

  public int headSize() {
    return headSize;
  }

  public DType.Plain dtype() {
    return dtype;
  }

  /// The memory taken so far.
  public long byteSize() {
    return pages.size() * pageBytes();
  }

  /// Stores k and v, each (T, G, C) F32, as the positions from `position` on of one layer.
  ///
  /// @throws IndexOutOfBoundsException if that exceeds the capacity
  public void put(Ops ops, int layer, int position, Tensor k, Tensor v) {
    int tokens = Math.toIntExact(k.dim(0));
    Check.sameShape(k, v);
    Check.same("heads", k.dim(1), "heads of the cache", heads);
    Check.same("head size", k.dim(2), "head size of the cache", headSize);
    if (position < 0 || position + tokens > capacity) {
      throw new IndexOutOfBoundsException(
          "positions %d..%d; the cache holds %d"
              .formatted(position, position + tokens - 1, capacity));
    }
    while (pages.size() * PAGE < position + tokens) {
      pages.add(arena.allocate(pageBytes(), 64));
    }
    ops.workers()
        .forEach(
            heads,
            Ops.grain((long) tokens * headSize),
            (worker, from, to) -> {
              for (int head = (int) from; head < to; head++) {
                for (int t = 0; t < tokens; t++) {
                  putHead(layer, head, position + t, t, k.segment(), v.segment());
                }
              }
            });
  }

  private void putHead(int layer, int head, int position, int t, MemorySegment k, MemorySegment v) {
    var page = pages.get(position / PAGE);
    int slot = position % PAGE;
    long keys = keysAt(layer, head);
    long values = valuesAt(layer, head);
    long row = ((long) t * heads + head) * headSize;
    for (int c = 0; c < headSize; c++) {
      Floats.store(dtype, page, keys, (long) c * PAGE + slot, Floats.get(k, 4 * row, c));
      Floats.store(dtype, page, values, (long) slot * headSize + c, Floats.get(v, 4 * row, c));
    }
  }

  MemorySegment page(int index) {
    return pages.get(index);
  }

  /// Where a head's keys (C, PAGE) begin in a page, in bytes.
  long keysAt(int layer, int head) {
    return ((long) layer * heads + head) * 2 * headBytes();
  }

  /// Where a head's values (PAGE, C) begin in a page, in bytes.
  long valuesAt(int layer, int head) {
    return keysAt(layer, head) + headBytes();
  }

  private long headBytes() {
    return (long) PAGE * headSize * dtype.blockBytes();
  }

  private long pageBytes() {
    return 2L * layers * heads * headBytes();
  }

  /// Frees the memory.
  @Override
  public void close() {
    arena.close();
  }
}
