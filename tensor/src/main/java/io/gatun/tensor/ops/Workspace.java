package io.gatun.tensor.ops;

import io.gatun.ffm.MemoryAdvice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Memory for the tensors of one step: taken by moving a mark, given back by moving it back, never
/// zeroed and reused by the next step. It grows by slabs and keeps them until [#trim].
public final class Workspace implements AutoCloseable {
  private static final long SLAB = 16L << 20;
  private static final long ALIGNMENT = 64;
  private static final long HUGE_PAGE = 2L << 20;

  private final List<Slab> slabs = new ArrayList<>();
  private int slab = -1;
  private long used;

  private record Slab(Arena arena, MemorySegment memory) {
    static Slab allocate(long bytes) {
      var arena = Arena.ofShared();
      // Kernels write columns of many rows, each of which may lie in a page of its own.
      var memory = arena.allocate(bytes, HUGE_PAGE);
      MemoryAdvice.hugePages(memory);
      return new Slab(arena, memory);
    }

    boolean holds(long bytes) {
      return bytes <= memory.byteSize();
    }
  }

  /// A mark to return to: `try (var _ = workspace.scope()) { ... }`.
  public final class Scope implements AutoCloseable {
    private final int slabMark = slab;
    private final long usedMark = used;

    private Scope() {}

    @Override
    public void close() {
      slab = slabMark;
      used = usedMark;
    }
  }

  Workspace() {}

  /// Starts a scope; what is taken after this is given back when the scope is closed.
  public Scope scope() {
    return new Scope();
  }

  /// A tensor with whatever values the memory holds.
  public Tensor take(DType dtype, long... dims) {
    var shape = Shape.of(dims);
    return Tensor.of(take(dtype.byteSize(shape)), dtype, shape);
  }

  /// Memory aligned to a cache line, with whatever it holds.
  public MemorySegment take(long bytes) {
    long rounded = Math.max(ALIGNMENT, (bytes + ALIGNMENT - 1) & -ALIGNMENT);
    if (slab < 0 || !slabs.get(slab).holds(used + rounded)) {
      slab++;
      used = 0;
      if (slab == slabs.size()) {
        slabs.add(Slab.allocate(Math.max(SLAB, rounded)));
      } else if (!slabs.get(slab).holds(rounded)) {
        // Nothing lies in it; kept beside a larger one it would seldom be used again.
        slabs.get(slab).arena.close();
        slabs.set(slab, Slab.allocate(rounded));
      }
    }
    var segment = slabs.get(slab).memory.asSlice(used, bytes);
    used += rounded;
    return segment;
  }

  /// The bytes held, used or not.
  public long byteSize() {
    return slabs.stream().mapToLong(slab -> slab.memory.byteSize()).sum();
  }

  /// Gives back the slabs that nothing lies in.
  public void trim() {
    while (slabs.size() > slab + 1) {
      slabs.removeLast().arena.close();
    }
  }

  @Override
  public void close() {
    slabs.forEach(each -> each.arena.close());
  }
}
