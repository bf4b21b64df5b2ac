package io.gatun.models.sam.video;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/// An object's past, as much of it as the model looks at: the frame it was first pointed at in, and
/// the last few. What is older is overwritten, so that a video may be of any length.
final class MemoryBank {
  private final Arena arena;
  private final int recentSpan;
  private final int pointerSpan;
  private Entry first;
  private final Deque<Entry> recent = new ArrayDeque<>();
  private final Deque<Entry> pointers = new ArrayDeque<>();

  /// @param features (G G, M)
  private record Entry(int frame, Tensor features, float[] pointer) {}

  /// A memory, and how many frames ago it was; 0 if the object was pointed at there.
  record Memory(Tensor features, int age) {}

  /// An object pointer, and how many frames ago it was.
  record Pointer(float[] values, int age) {}

  /// @param recentSpan frames back that are remembered
  /// @param pointerSpan frames back whose pointers are
  MemoryBank(Arena arena, int recentSpan, int pointerSpan) {
    this.arena = arena;
    this.recentSpan = recentSpan;
    this.pointerSpan = pointerSpan;
  }

  boolean isEmpty() {
    return first == null;
  }

  /// Remembers a frame: a copy of its features (G G, M), and its pointer.
  void add(int frame, Tensor features, float[] pointer) {
    if (first == null) {
      first = new Entry(frame, copy(null, features), pointer);
      return;
    }
    var oldest = recent.size() == recentSpan ? recent.removeFirst().features : null;
    recent.addLast(new Entry(frame, copy(oldest, features), pointer));
    if (pointers.size() == pointerSpan) {
      pointers.removeFirst();
    }
    pointers.addLast(new Entry(frame, null, pointer));
  }

  private Tensor copy(Tensor reused, Tensor features) {
    var copy =
        reused != null ? reused : Tensor.allocate(arena, features.dtype(), features.shape().dims());
    MemorySegment.copy(features.segment(), 0, copy.segment(), 0, features.byteSize());
    return copy;
  }

  /// What a frame remembers.
  List<Memory> seen(int frame, int numMaskmem) {
    var seen = new ArrayList<Memory>();
    seen.add(new Memory(first.features, 0));
    for (var e : recent) {
      if (frame - e.frame < numMaskmem) {
        seen.add(new Memory(e.features, frame - e.frame));
      }
    }
    return seen;
  }

  /// The pointers that a frame sees.
  ///
  /// @param longest how many there are at the most, the first one not counted
  List<Pointer> pointers(int frame, int longest) {
    var found = new ArrayList<Pointer>();
    found.add(new Pointer(first.pointer, frame - first.frame));
    for (var e : pointers) {
      if (frame - e.frame < longest) {
        found.add(new Pointer(e.pointer, frame - e.frame));
      }
    }
    return found;
  }

  /// The last frame's features.
  Tensor lastFeatures() {
    return recent.isEmpty() ? first.features : recent.getLast().features;
  }

  /// The last frame's pointer.
  float[] lastPointer() {
    return recent.isEmpty() ? first.pointer : recent.getLast().pointer;
  }
}
