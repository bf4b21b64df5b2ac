package io.gatun.models.pipeline;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// What a network is told of one prompt.
///
/// @param states hidden states (tokens, width)
/// @param pooled the text's embedding; null for networks that want none
@SuppressWarnings("ArrayRecordComponent") // never compared
public record Condition(float[] states, int tokens, int width, float[] pooled) {
  /// The same with zeros for all.
  public Condition zeros() {
    return new Condition(
        new float[states.length], tokens, width, pooled == null ? null : new float[pooled.length]);
  }

  /// The hidden states (S, W), F32, in the workspace.
  Tensor statesIn(Functional f) {
    return tensor(f, states, tokens, width);
  }

  /// The text's embedding (1, P), F32, in the workspace.
  Tensor pooledIn(Functional f) {
    return tensor(f, pooled, 1, pooled.length);
  }

  private static Tensor tensor(Functional f, float[] values, long rows, long columns) {
    var out = f.ops().empty(rows, columns);
    MemorySegment.copy(values, 0, out.segment(), ValueLayout.JAVA_FLOAT, 0, values.length);
    return out;
  }
}
