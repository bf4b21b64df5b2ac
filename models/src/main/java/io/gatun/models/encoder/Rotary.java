package io.gatun.models.encoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Rotary position embedding (Su et al. 2021) of the halves of a head: pair i turns by `position *
/// theta^(-2i / C)`.
///
/// @param cos (T, C), a row for each token of a batch
/// @param sin likewise, that of each pair's first element negated
record Rotary(Tensor cos, Tensor sin) {
  /// The angles of a batch's tokens, from the workspace.
  static Rotary of(Functional f, TokenBatch batch, double theta, int headSize) {
    int half = headSize / 2;
    var cos = f.ops().empty(batch.tokens(), headSize);
    var sin = f.ops().empty(batch.tokens(), headSize);
    try (var _ = f.scope()) {
      var cosines = f.ops().empty(batch.longest(), headSize);
      var sines = f.ops().empty(batch.longest(), headSize);
      for (int p = 0; p < batch.longest(); p++) {
        for (int i = 0; i < half; i++) {
          double angle = p * Math.pow(theta, -2.0 * i / headSize);
          long at = (long) p * headSize + i;
          set(cosines, at, Math.cos(angle));
          set(cosines, at + half, Math.cos(angle));
          set(sines, at, -Math.sin(angle));
          set(sines, at + half, Math.sin(angle));
        }
      }
      for (int text = 0; text < batch.texts(); text++) {
        long at = 4L * batch.start(text) * headSize;
        long bytes = 4L * batch.length(text) * headSize;
        MemorySegment.copy(cosines.segment(), 0, cos.segment(), at, bytes);
        MemorySegment.copy(sines.segment(), 0, sin.segment(), at, bytes);
      }
    }
    return new Rotary(cos, sin);
  }

  private static void set(Tensor t, long index, double value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, index, (float) value);
  }

  /// Queries and keys (T, 2 D), turned.
  Tensor turn(Functional f, Tensor qk) {
    var x = qk.dtype() == DType.Plain.F32 ? qk : f.toF32(qk);
    long c = cos.dim(1);
    f.ops().rope(x.reshape(x.dim(0), x.dim(1) / c, c), cos, sin, false);
    return x == qk ? x : f.cast(x);
  }
}
