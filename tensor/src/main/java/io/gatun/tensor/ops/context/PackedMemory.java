package io.gatun.tensor.ops.context;

import io.gatun.ffm.RawArena;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;

/// The weights that are kept in another form than the checkpoint's, and memory for them: so much
/// and no more, until all of it is given back.
public final class PackedMemory {
  private final Family family;
  private long budget = 2L << 30;
  private long taken;
  private Slabs arena;

  /// This memory and all beside it: those that hold something, and how many weights were packed.
  private static final class Family {
    private final Set<PackedMemory> open = new HashSet<>();
    private long packed;
  }

  /// Allocates side by side from large pieces, of which the system makes only what is used.
  private static final class Slabs implements Arena {
    private static final long SIZE = 64L << 20;

    private final RawArena slabs = new RawArena();
    private MemorySegment slab = MemorySegment.NULL;
    private long used;

    @Override
    public MemorySegment allocate(long bytes, long alignment) {
      long from = used + alignment - 1 & -alignment;
      if (from + bytes > slab.byteSize()) {
        slab = slabs.reserve(Math.max(SIZE, bytes));
        from = 0;
      }
      used = from + bytes;
      return slab.asSlice(from, bytes);
    }

    @Override
    public MemorySegment.Scope scope() {
      return slabs.scope();
    }

    @Override
    public void close() {
      slabs.close();
    }
  }

  // The forms of each weight by their kind; they go with the weight, their memory does not.
  private final Map<Object, Map<Object, Object>> forms = new WeakHashMap<>();

  public PackedMemory() {
    this(new Family());
  }

  private PackedMemory(Family family) {
    this.family = family;
  }

  /// Memory beside this, with a budget of its own.
  public PackedMemory another() {
    return new PackedMemory(family);
  }

  public void budget(long bytes) {
    budget = bytes;
  }

  /// Takes room for a form without which each use would have to make it; false, and nothing is
  /// taken, if there is not as much.
  public boolean reserve(long bytes) {
    return reserve(bytes, budget);
  }

  /// Takes room for a form that is only faster than the checkpoint's: such may fill half of the
  /// memory.
  public boolean reserveSpare(long bytes) {
    return reserve(bytes, budget / 2);
  }

  private boolean reserve(long bytes, long most) {
    if (taken + bytes > most) {
      return false;
    }
    taken += bytes;
    return true;
  }

  /// The form of this kind that was made of a weight, or null if there is none.
  public <T> T form(Object weight, Object kind, Class<T> type) {
    var made = forms.get(weight);
    return made == null ? null : type.cast(made.get(kind));
  }

  /// Remembers a form of a weight until [#release], and returns it.
  ///
  /// @param weight has an identity of its own, and nothing in the form refers to it
  public <T> T keep(Object weight, Object kind, T form) {
    forms.computeIfAbsent(weight, any -> new HashMap<>()).put(kind, form);
    return form;
  }

  /// Counts a weight that is being packed or rounded, to be kept or not.
  public void count() {
    family.packed++;
  }

  /// The weights that have been packed or rounded so far, here and in all memory beside this.
  public long counted() {
    return family.packed;
  }

  /// What to allocate from, until [#release].
  public Arena arena() {
    if (arena == null) {
      arena = new Slabs();
      family.open.add(this);
    }
    return arena;
  }

  /// Gives everything back.
  public void release() {
    if (arena != null) {
      arena.close();
      family.open.remove(this);
    }
    forms.clear();
    arena = null;
    taken = 0;
  }

  /// Gives back this and all beside it.
  public void releaseAll() {
    List.copyOf(family.open).forEach(PackedMemory::release);
  }
}
