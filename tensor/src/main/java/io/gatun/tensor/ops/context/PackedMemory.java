package io.gatun.tensor.ops.context;

import java.lang.foreign.Arena;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Memory for weights in another form than the checkpoint's: so much and no more, until all of it
/// is given back.
///
/// Who keeps a form asks its memory's scope whether it is still there, and makes it again if not.
public final class PackedMemory {
  private final Set<PackedMemory> open;
  private long budget = 2L << 30;
  private long taken;
  private Arena arena;

  public PackedMemory() {
    this(new HashSet<>());
  }

  private PackedMemory(Set<PackedMemory> open) {
    this.open = open;
  }

  /// Memory beside this, with a budget of its own.
  public PackedMemory another() {
    return new PackedMemory(open);
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

  /// Takes room in any case.
  public void spend(long bytes) {
    taken += bytes;
  }

  /// What to allocate from, until [#release].
  public Arena arena() {
    if (arena == null) {
      arena = Arena.ofShared();
      open.add(this);
    }
    return arena;
  }

  /// Gives everything back.
  public void release() {
    if (arena != null) {
      arena.close();
      open.remove(this);
    }
    arena = null;
    taken = 0;
  }

  /// Gives back this and all beside it.
  public void releaseAll() {
    List.copyOf(open).forEach(PackedMemory::release);
  }
}
