package io.gatun.tensor.ops;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/// The keys and values of the positions seen so far, in session memory that grows by pages.
///
/// A page holds [#PAGE] positions of every layer. Within a layer and head the keys lie transposed,
/// (C, PAGE), and the values as they come, (PAGE, C): so both products of attention run along
/// memory. In a cache of 8-bit integers each key and each value of a head has a scale of its own;
/// the F32 scales (PAGE) of the keys and then of the values follow the values.
public final class KvCache implements AutoCloseable {
  /// Positions in a page.
  static final int PAGE = 64;

  private static final Set<DType.Plain> TYPES =
      EnumSet.of(DType.Plain.F32, DType.Plain.F16, DType.Plain.BF16, DType.Plain.I8);

  private final int layers;
  private final int heads;
  private final int headSize;
  private final DType.Plain dtype;
  private final int capacity;
  private final Owner owner = new Owner("conversation");
  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment> pages = new ArrayList<>();

  /// An empty cache.
  ///
  /// @param heads key/value heads, G
  /// @param dtype F32, F16, BF16 or I8
  /// @param capacity the most positions it may hold
  /// @throws IllegalArgumentException if a size is less than 1, or the type is none of these
  public KvCache(int layers, int heads, int headSize, DType.Plain dtype, int capacity) {
    if (Math.min(Math.min(layers, heads), Math.min(headSize, capacity)) < 1) {
      throw new IllegalArgumentException(
          "%d layers, %d heads of %d, capacity %d; need at least 1 of each"
              .formatted(layers, heads, headSize, capacity));
    }
    if (!TYPES.contains(dtype)) {
      throw new IllegalArgumentException("cache type is " + dtype + "; need one of " + TYPES);
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

  /// Whose turn it is to use the conversation: hold a turn around what must not be mixed with what
  /// other threads do.
  public Owner owner() {
    return owner;
  }

  /// The memory taken so far.
  public long byteSize() {
    return pages.size() * pageBytes();
  }

  /// Stores k and v, each (T, G, C) F32, as the positions from `position` on of one layer.
  ///
  /// @throws IndexOutOfBoundsException if that exceeds the capacity
  /// @throws IllegalStateException if the cache is closed, or another thread is using it
  public void put(Ops ops, int layer, int position, Tensor k, Tensor v) {
    Check.index("layer", layer, layers);
    Check.rank("k", k, 3);
    Check.sameShape(k, v);
    int tokens = Math.toIntExact(k.dim(0));
    Check.same("heads", k.dim(1), "heads of the cache", heads);
    Check.same("head size", k.dim(2), "head size of the cache", headSize);
    if (position < 0 || tokens > capacity - position) {
      throw new IndexOutOfBoundsException(
          "positions %d..%d; the cache holds %d"
              .formatted(position, position + tokens - 1, capacity));
    }
    try (var _ = owner.claim();
        var _ = ops.scope()) {
      while (pages.size() * PAGE < position + tokens) {
        pages.add(arena.allocate(pageBytes(), 64));
      }
      var row = ops.workspace().take((long) headSize * ops.workers().threads());
      ops.workers()
          .forEach(
              heads,
              Ops.grain((long) tokens * headSize),
              (worker, from, to) -> {
                for (int head = (int) from; head < to; head++) {
                  for (int t = 0; t < tokens; t++) {
                    long at = 4L * (t * heads + head) * headSize;
                    if (dtype == DType.Plain.I8) {
                      long scratch = (long) worker * headSize;
                      putBytes(ops, layer, head, position + t, k, v, at, row, scratch);
                    } else {
                      putFloats(layer, head, position + t, k, v, at);
                    }
                  }
                }
              });
    }
  }

  private void putFloats(int layer, int head, int position, Tensor k, Tensor v, long at) {
    var page = pages.get(position / PAGE);
    int slot = position % PAGE;
    long keys = keysAt(layer, head);
    long values = valuesAt(layer, head);
    for (int c = 0; c < headSize; c++) {
      Floats.store(dtype, page, keys, (long) c * PAGE + slot, Floats.get(k.segment(), at, c));
      Floats.store(dtype, page, values, (long) slot * headSize + c, Floats.get(v.segment(), at, c));
    }
  }

  /// @param row room for a head's bytes from byte `rowAt`
  private void putBytes(
      Ops ops,
      int layer,
      int head,
      int position,
      Tensor k,
      Tensor v,
      long at,
      MemorySegment row,
      long rowAt) {
    var page = pages.get(position / PAGE);
    int slot = position % PAGE;
    long keys = keysAt(layer, head) + slot;
    long values = valuesAt(layer, head) + (long) slot * headSize;
    float keyScale = ops.kernels().quantize(k.segment(), at, headSize, row, rowAt);
    for (int c = 0; c < headSize; c++) {
      page.set(JAVA_BYTE, keys + (long) c * PAGE, row.get(JAVA_BYTE, rowAt + c));
    }
    float valueScale = ops.kernels().quantize(v.segment(), at, headSize, page, values);
    Floats.set(page, keyScalesAt(layer, head), slot, keyScale);
    Floats.set(page, valueScalesAt(layer, head), slot, valueScale);
  }

  /// Asks that rows `position` and the `tokens` from there on have been put.
  ///
  /// @throws IndexOutOfBoundsException if there is no such layer or page
  void checkStored(int layer, int position, long tokens) {
    Check.index("layer", layer, layers);
    if (position < 0 || position + tokens > (long) pages.size() * PAGE) {
      throw new IndexOutOfBoundsException(
          "positions %d..%d; none were put there".formatted(position, position + tokens - 1));
    }
  }

  /// Whether keys and values are integers, of which each has a scale.
  boolean hasScales() {
    return dtype == DType.Plain.I8;
  }

  MemorySegment page(int index) {
    return pages.get(index);
  }

  /// Where a head's keys (C, PAGE) begin in a page, in bytes.
  long keysAt(int layer, int head) {
    return ((long) layer * heads + head) * headBytes();
  }

  /// Where a head's values (PAGE, C) begin in a page, in bytes.
  long valuesAt(int layer, int head) {
    return keysAt(layer, head) + elementBytes();
  }

  /// Where the scales of a head's keys begin in a page, in bytes.
  long keyScalesAt(int layer, int head) {
    return valuesAt(layer, head) + elementBytes();
  }

  /// Where the scales of a head's values begin in a page, in bytes.
  long valueScalesAt(int layer, int head) {
    return keyScalesAt(layer, head) + 4L * PAGE;
  }

  /// Of a page's keys, or its values, of one layer and head.
  private long elementBytes() {
    return (long) PAGE * headSize * dtype.blockBytes();
  }

  private long headBytes() {
    return 2 * elementBytes() + (hasScales() ? 2 * 4L * PAGE : 0);
  }

  private long pageBytes() {
    return layers * heads * headBytes();
  }

  /// Frees the memory, after an operation of another thread that uses it; a second call does
  /// nothing.
  @Override
  public void close() {
    owner.close(arena::close);
  }
}
