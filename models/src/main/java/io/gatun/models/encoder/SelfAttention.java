package io.gatun.models.encoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionBias;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;

/// `softmax(q k^T / sqrt(C)) v` within each text of a batch, in both directions.
final class SelfAttention {
  private SelfAttention() {}

  /// Attention over texts of any lengths, result (T, D).
  ///
  /// @param qk whose columns begin with the queries, then the keys, D each
  /// @param values whose columns from `valuesAt` on are the values; may be `qk` itself
  static Tensor apply(
      Functional f,
      TokenBatch batch,
      Tensor qk,
      Tensor values,
      long valuesAt,
      int heads,
      AttentionBias bias,
      long d) {
    var out = f.empty(batch.tokens(), d);
    float scale = (float) (1 / Math.sqrt((double) d / heads));
    long row = d * f.dtype().blockBytes();
    for (var run : batch.runs()) {
      try (var _ = f.scope()) {
        var y =
            f.attention(
                columns(qk, run, 0, d),
                columns(qk, run, d, d),
                columns(values, run, valuesAt, d),
                heads,
                scale,
                bias);
        MemorySegment.copy(y.segment(), 0, out.segment(), run.start() * row, y.byteSize());
      }
    }
    return out;
  }

  /// Some columns of a run's texts: (count, length, D).
  private static Tensor columns(Tensor x, TokenBatch.Run run, long from, long d) {
    return x.slice(0, run.start(), run.end())
        .reshape(run.count(), run.length(), x.dim(1))
        .slice(2, from, from + d);
  }
}
