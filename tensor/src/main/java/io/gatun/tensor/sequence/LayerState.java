package io.gatun.tensor.sequence;

import io.gatun.tensor.Shape;
import java.util.List;

/// What a part of a model keeps of the positions that it has seen, for each [Sequence].
public sealed interface LayerState permits KvLayout, LayerState.Recurrent, LayerState.SharedWith {
  /// F32 tensors of fixed shapes, 0 at the start, which each position changes: a scan's or a delta
  /// rule's state, the last inputs of a short convolution.
  record Recurrent(List<Shape> shapes) implements LayerState {
    public Recurrent {
      shapes = List.copyOf(shapes);
    }

    /// Of one tensor each.
    public static Recurrent of(Shape... shapes) {
      return new Recurrent(List.of(shapes));
    }
  }

  /// The keys and values that another part stores; this one only reads them.
  ///
  /// @param index of that part in [CacheLayout#states], before this one
  record SharedWith(int index) implements LayerState {}
}
