package io.gatun.tensor.ops;

import java.lang.foreign.Arena;

/// Memory for weights in another form than the checkpoint's: so much and no more, until all of it
/// is given back.
///
/// Who keeps a form asks its memory's scope whether it is still there, and makes it again if not.
final class PackedMemory {
  private final Ops ops;
  private long budget = 2L << 30;
  private long taken;
  private Arena arena;

  PackedMemory(Ops ops) {
    this.ops = ops;
  }

  void budget(long bytes) {
    budget = bytes;
  }

  /// Takes room for a form without which each use would have to make it; false, and nothing is
  /// taken, if there is not as much.
  boolean reserve(long bytes) {
    return reserve(bytes, budget);
  }

  /// Takes room for a form that is only faster than the checkpoint's: such may fill half of the
  /// memory.
  boolean reserveSpare(long bytes) {
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
  void spend(long bytes) {
    taken += bytes;
  }

  /// What to allocate from, until [#release].
  Arena arena() {
    if (arena == null) {
      arena = Arena.ofShared();
      ops.owns(this);
    }
    return arena;
  }

  /// Gives everything back.
  void release() {
    if (arena != null) {
      arena.close();
      ops.disowns(this);
    }
    arena = null;
    taken = 0;
  }
}
