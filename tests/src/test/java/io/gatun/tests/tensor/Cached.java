package io.gatun.tests.tensor;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tensor.sequence.Span;
import java.util.List;

/// The keys and values of one sequence and one layer, with room for all positions.
record Cached(KvPool pool, Sequence sequence) implements AutoCloseable {
  static Cached of(int heads, int headSize, DType.Plain dtype, int capacity) {
    var pool = new KvPool(Long.MAX_VALUE);
    var layout = new CacheLayout(List.of(new KvLayout(heads, headSize, headSize, 0)), dtype);
    var sequence = new Sequence(pool, layout, capacity);
    sequence.reserve(capacity);
    return new Cached(pool, sequence);
  }

  private List<Span> rows(Tensor x, int position) {
    return List.of(new Span(0, (int) x.dim(0), position, sequence));
  }

  void put(Ops ops, int position, Tensor k, Tensor v) {
    ops.put(rows(k, position), 0, k, v);
  }

  Tensor attention(Ops ops, Tensor q, int position, AttentionSpec spec) {
    return ops.attention(q, rows(q, position), 0, spec);
  }

  @Override
  public void close() {
    sequence.close();
    pool.close();
  }
}
