package io.gatun.tensor.runtime;

import io.gatun.ffm.RawArena;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Memory for the tensors of one step: taken by moving a mark, given back by moving it back, never
/// zeroed and reused by the next step. It grows by slabs and keeps them until [#trim].
public final class Workspace {
  private static final long SLAB = 16L << 20;

  /// Enough for the tokens of a small model, and had without the system's own functions, whose
  /// first call takes a twentieth of a second.
  private static final long FIRST_SLAB = 1L << 20;

  private static final long ALIGNMENT = 64;
  private static final long MOST = 1L << 56;

  private final Owner owner;
  private final List<Slab> slabs = new ArrayList<>();
  private int slab = -1;
  private long used;

  private record Slab(RawArena arena, MemorySegment memory) {
    static Slab allocate(long bytes) {
      var arena = new RawArena();
      // Kernels write columns of many rows, each of which may lie in a page of its own.
      return new Slab(arena, arena.reserve(bytes));
    }

    boolean holds(long bytes) {
      return bytes <= memory.byteSize();
    }
  }

  /// A mark to return to: `try (var _ = workspace.scope()) { ... }`.
  public final class Scope implements AutoCloseable {
    private final Owner.Use use = owner.claim();
    private final int slabMark = slab;
    private final long usedMark = used;
    private boolean closed;

    private Scope() {}

    /// Gives back what was taken so far, and stays open.
    public void reset() {
      slab = slabMark;
      used = usedMark;
    }

    /// Gives back what was taken; a second time it does nothing.
    ///
    /// @throws IllegalStateException if another thread opened the scope
    @Override
    public void close() {
      if (!closed) {
        owner.checkInside();
        closed = true;
        reset();
        use.close();
      }
    }
  }

  /// Memory that `owner` gives to one thread at a time; none at first.
  public Workspace(Owner owner) {
    this.owner = owner;
  }

  /// Starts a scope; what is taken after this is given back when the scope is closed. Until then no
  /// other thread can take anything.
  ///
  /// @throws IllegalStateException if the model is closed, or another thread is using it
  public Scope scope() {
    return new Scope();
  }

  /// A tensor with whatever values the memory holds.
  public Tensor take(DType dtype, long... dims) {
    var shape = Shape.of(dims);
    return Tensor.of(take(dtype.byteSize(shape)), dtype, shape);
  }

  /// Memory aligned to a cache line, with whatever it holds.
  ///
  /// @throws OutOfMemoryError if the system gives no more; what was taken before stays
  /// @throws IllegalStateException if the model is closed, or another thread is using it
  public MemorySegment take(long bytes) {
    try (var _ = owner.claim()) {
      if (bytes < 0 || bytes > MOST) {
        throw new OutOfMemoryError("a workspace has no %d bytes".formatted(bytes));
      }
      long rounded = Math.max(ALIGNMENT, (bytes + ALIGNMENT - 1) & -ALIGNMENT);
      if (slab < 0 || !slabs.get(slab).holds(used + rounded)) {
        makeRoom(slab + 1, rounded);
        slab++;
        used = 0;
      }
      var segment = slabs.get(slab).memory.asSlice(used, bytes);
      used += rounded;
      return segment;
    }
  }

  /// Sees to it that the slab `index`, in which nothing lies, holds so many bytes.
  private void makeRoom(int index, long bytes) {
    if (index < slabs.size() && !slabs.get(index).holds(bytes)) {
      // Kept beside a larger one it would seldom be used again. It goes first, so that there is
      // never memory for both, and from the list too: there may be none for the larger one.
      slabs.remove(index).arena.closeUnused();
      slabs.add(index, Slab.allocate(bytes));
    } else if (index == slabs.size()) {
      slabs.add(Slab.allocate(Math.max(index == 0 ? FIRST_SLAB : SLAB, bytes)));
    }
  }

  /// The bytes held, used or not.
  public long byteSize() {
    return slabs.stream().mapToLong(slab -> slab.memory.byteSize()).sum();
  }

  /// Gives back the slabs that nothing lies in.
  public void trim() {
    try (var _ = owner.claim()) {
      while (slabs.size() > slab + 1) {
        slabs.removeLast().arena.closeUnused();
      }
    }
  }

  /// Frees everything; nothing can be taken any more.
  public void free() {
    slabs.forEach(each -> each.arena.close());
    slabs.clear();
    slab = -1;
    used = 0;
  }
}
