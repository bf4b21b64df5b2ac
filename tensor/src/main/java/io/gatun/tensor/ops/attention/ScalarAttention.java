package io.gatun.tensor.ops.attention;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.sequence.KvPages;
import java.lang.foreign.MemorySegment;

/// The attention that the other one is tested against: the definition, row by row.
final class ScalarAttention {
  private final Context ctx;
  private final Kernels kernels;
  private final AttentionShape s;
  private final AttentionSpec spec;
  private final MemorySegment q;
  private final MemorySegment k;
  private final MemorySegment v;
  private final Tensor out;
  private final int heads;

  // (B, T, H, K), (B, S, G, K) and (B, S, G, V) F32, S from the first key on that is seen.
  private ScalarAttention(
      Context ctx,
      AttentionShape shape,
      AttentionSpec spec,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      Tensor out) {
    this.ctx = ctx;
    this.kernels = ctx.kernels();
    this.s = shape;
    this.spec = spec;
    this.q = q;
    this.k = k;
    this.v = v;
    this.out = out;
    heads = s.heads() * s.group();
  }

  /// Of tensors (B, T, heads * K), (B, S, heads * K) and (B, S, heads * V).
  static ScalarAttention of(
      Context ctx, AttentionShape s, AttentionSpec spec, Tensor q, Tensor k, Tensor v, Tensor out) {
    return new ScalarAttention(ctx, s, spec, copy(ctx, q), copy(ctx, k), copy(ctx, v), out);
  }

  /// Of q (T, H, K) and pages.
  static ScalarAttention of(
      Context ctx, AttentionShape s, AttentionSpec spec, Tensor q, KvPages pages, Tensor out) {
    int n = s.keys() - s.firstKey();
    var k = ctx.workspace().take(4L * n * s.heads() * s.keyDim());
    var v = ctx.workspace().take(4L * n * s.heads() * s.valueDim());
    for (int i = 0; i < n * s.heads(); i++) {
      int position = s.firstKey() + i / s.heads();
      long key = 4L * i * s.keyDim();
      long value = 4L * i * s.valueDim();
      KeyValues.get(pages, i % s.heads(), position, k, key, v, value);
    }
    return new ScalarAttention(ctx, s, spec, q.segment(), k, v, out);
  }

  void run() {
    int threads = ctx.workers().threads();
    long stride = 4L * (s.keys() - s.firstKey() + s.valueDim());
    var scratch = ctx.workspace().take(stride * threads);
    ctx.each(
        (long) s.batches() * s.queries() * heads,
        1,
        (worker, i) -> row(i, scratch, worker * stride));
  }

  /// The head `i % heads` of row `i / heads`.
  private void row(long i, MemorySegment scratch, long at) {
    int head = (int) (i % heads);
    int token = (int) (i / heads % s.queries());
    long batch = i / heads / s.queries();
    long position = (long) s.firstQuery() + token;
    int begin = (int) Math.max(0, position - spec.before() - s.firstKey());
    int end = (int) Math.min(s.keys(), position + spec.after() + 1) - s.firstKey();
    for (int j = begin; j < end; j++) {
      Floats.set(scratch, at, j, score(i, token, batch, j, head));
    }
    int n = end - begin;
    float sink =
        spec.sinks() == null
            ? Float.NEGATIVE_INFINITY
            : Floats.get(spec.sinks().segment(), 0, head);
    float max = Math.max(sink, kernels.max(scratch, at + 4L * begin, n));
    double total = kernels.expSum(scratch, at + 4L * begin, max, n) + Math.exp(sink - max);
    long sums = at + 4L * (s.keys() - s.firstKey());
    for (int c = 0; c < s.valueDim(); c++) {
      double sum = 0;
      for (int j = begin; j < end; j++) {
        long value = key(batch, j, head) * s.valueDim() + c;
        sum += (double) Floats.get(scratch, at, j) * Floats.get(v, 0, value);
      }
      Floats.set(scratch, sums, c, (float) (sum / total));
    }
    for (int c = 0; c < s.valueDim(); c++) {
      var dtype = (DType.Plain) out.dtype();
      Floats.store(dtype, out.segment(), 0, i * s.valueDim() + c, Floats.get(scratch, sums, c));
    }
  }

  private float score(long i, int token, long batch, int j, int head) {
    long query = 4 * i * s.keyDim();
    float dot = kernels.dot(q, query, k, 4 * key(batch, j, head) * s.keyDim(), s.keyDim());
    float score = dot * spec.scale() + (spec.positions() == null ? 0 : bias(query, token, j));
    float cap = spec.softcap();
    return cap > 0 ? (float) (cap * Math.tanh(score / cap)) : score;
  }

  /// Which key it is that a head of queries sees.
  private long key(long batch, int j, int head) {
    return (batch * (s.keys() - s.firstKey()) + j) * s.heads() + head / s.group();
  }

  private float bias(long query, int token, int key) {
    var r = spec.positions();
    int c = s.keyDim();
    int down = token / r.gridWidth() - key / r.gridWidth() + r.gridHeight() - 1;
    int across = token % r.gridWidth() - key % r.gridWidth() + r.gridWidth() - 1;
    return kernels.dot(q, query, r.height().segment(), 4L * down * c, c)
        + kernels.dot(q, query, r.width().segment(), 4L * across * c, c);
  }

  /// x (B, T, D), whose rows may be far apart, as contiguous F32.
  private static MemorySegment copy(Context ctx, Tensor x) {
    long d = x.dim(2);
    var copy = ctx.workspace().take(4 * x.size());
    for (long i = 0; i < x.dim(0) * x.dim(1); i++) {
      long from = i / x.dim(1) * x.stride(0) + i % x.dim(1) * x.stride(1);
      Dequantize.toFloat(x.dtype(), x.segment(), from * x.dtype().blockBytes(), copy, 4 * i * d, d);
    }
    return copy;
  }
}
