package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// A blocked layout that oneDNN chose for the weights of an operation on this machine, from
/// [OneDnn#packedLayout]. It means something only as long as the process runs. Equal layouts are
/// the same object; there are few of them, and they are kept.
public final class PackedLayout implements WeightLayout {
  private static final List<PackedLayout> KNOWN = new ArrayList<>();

  private final MemorySegment descriptor;
  private final long bytes;

  private PackedLayout(MemorySegment descriptor) {
    this.descriptor = descriptor;
    this.bytes = Dnnl.dnnl_memory_desc_get_size(descriptor);
  }

  /// The layout of this descriptor, which it takes over.
  static synchronized PackedLayout of(MemorySegment descriptor) {
    for (PackedLayout known : KNOWN) {
      if (Dnnl.dnnl_memory_desc_equal(known.descriptor, descriptor) != 0) {
        Dnn.destroyDescriptor(descriptor);
        return known;
      }
    }
    var layout = new PackedLayout(descriptor);
    KNOWN.add(layout);
    return layout;
  }

  /// The bytes that the packed weights take.
  public long byteSize() {
    return bytes;
  }

  /// The layout of `count` entries of the operand's first dimension, where each so many lie by
  /// themselves, one group after the other; null where they do not.
  public PackedLayout part(long count) {
    long[] dims = dims();
    long parts = dims[0] / count;
    if (parts * count != dims[0]) {
      return null;
    }
    dims[0] = count;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ValueLayout.ADDRESS);
      MemorySegment sizes = arena.allocateFrom(ValueLayout.JAVA_LONG, dims);
      MemorySegment start = arena.allocate(ValueLayout.JAVA_LONG, dims.length);
      if (Dnnl.dnnl_memory_desc_create_submemory(result, descriptor, sizes, start)
          != Dnnl.dnnl_success()) {
        return null; // it would begin or end within a block
      }
      PackedLayout part = of(result.get(ValueLayout.ADDRESS, 0));
      return part.bytes * parts == bytes ? part : null;
    }
  }

  /// The operand's dimensions.
  long[] dims() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ValueLayout.ADDRESS);
      query(Dnnl.dnnl_query_ndims_s32(), result);
      return longs(Dnnl.dnnl_query_dims(), result, result.get(ValueLayout.JAVA_INT, 0));
    }
  }

  /// How many columns lie side by side where an operand (k, n) lies in panels, `[n / columns][k /
  /// 4][columns][4]`: the order in which int8 dot products read it, so that whoever makes the
  /// values can write them there directly. 0 if it lies otherwise.
  public int panelColumns(int k, int n) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(ValueLayout.ADDRESS);
      query(Dnnl.dnnl_query_inner_nblks_s32(), result);
      int count = result.get(ValueLayout.JAVA_INT, 0);
      if (count != 2 && count != 3) {
        return 0;
      }
      long[] sizes = longs(Dnnl.dnnl_query_inner_blks(), result, count);
      long[] dimensions = longs(Dnnl.dnnl_query_inner_idxs(), result, count);
      long[] strides = longs(Dnnl.dnnl_query_strides(), result, 2);
      // A block is some rows by so many columns; within it, four rows for each column in turn.
      long columns = sizes[count - 2];
      long rows = count == 3 ? 4 * sizes[0] : 4;
      boolean panels =
          dimensions[count - 1] == 0
              && sizes[count - 1] == 4
              && dimensions[count - 2] == 1
              && (count == 2 || dimensions[0] == 0)
              && n % columns == 0
              && (k == rows || strides[0] == rows * columns)
              && (n == columns || strides[1] == k * columns);
      return panels && bytes == (long) k * n ? Math.toIntExact(columns) : 0;
    }
  }

  private void query(int what, MemorySegment result) {
    Dnn.check(Dnnl.dnnl_memory_desc_query(descriptor, what, result), "reading a layout");
  }

  private long[] longs(int what, MemorySegment result, int count) {
    query(what, result);
    return result
        .get(ValueLayout.ADDRESS, 0)
        .reinterpret(8L * count)
        .toArray(ValueLayout.JAVA_LONG);
  }

  MemorySegment descriptor() {
    return descriptor;
  }
}
