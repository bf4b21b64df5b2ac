package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// The attention that the other one is tested against: the definition, row by row.
final class ScalarAttention {
  private final Context ctx;
  private final Kernels kernels;
  private final MemorySegment q;
  private final MemorySegment k;
  private final MemorySegment v;
  private final float scale;
  private final AttentionBias bias;
  private final Tensor out;
  private final int tokens;
  private final int keys;
  private final int heads;
  private final int c;

  ScalarAttention(
      Context ctx,
      Tensor q,
      Tensor k,
      Tensor v,
      int heads,
      float scale,
      AttentionBias bias,
      Tensor out) {
    this.ctx = ctx;
    this.kernels = ctx.kernels();
    this.q = copy(q);
    this.k = copy(k);
    this.v = copy(v);
    this.scale = scale;
    this.bias = bias;
    this.out = out;
    this.heads = heads;
    tokens = Math.toIntExact(q.dim(1));
    keys = Math.toIntExact(k.dim(1));
    c = Math.toIntExact(q.dim(2) / heads);
  }

  void run() {
    var scratch = ctx.perWorker(4L * (keys + c));
    ctx.forEach(
        out.dim(0) * tokens * heads,
        1,
        (worker, from, to) -> {
          for (long i = from; i < to; i++) {
            row(i, scratch, 4L * worker * (keys + c));
          }
        });
  }

  /// The head `i % heads` of row `i / heads`.
  private void row(long i, MemorySegment scratch, long scores) {
    int head = (int) (i % heads);
    int token = (int) (i / heads % tokens);
    long batch = i / heads / tokens;
    long query = 4 * i * c;
    int visible = bias instanceof AttentionBias.Causal ? token + 1 : keys;
    for (int s = 0; s < visible; s++) {
      float score = kernels.dot(q, query, k, keyAt(batch, s, head), c) * scale;
      Floats.set(scratch, scores, s, score + bias(query, token, s));
    }
    float max = kernels.max(scratch, scores, visible);
    float total = kernels.expSum(scratch, scores, max, visible);
    long sums = scores + 4L * keys;
    for (int j = 0; j < c; j++) {
      double sum = 0;
      for (int s = 0; s < visible; s++) {
        sum += (double) Floats.get(scratch, scores, s) * Floats.get(v, keyAt(batch, s, head), j);
      }
      Floats.set(scratch, sums, j, (float) (sum / total));
    }
    for (int j = 0; j < c; j++) {
      Floats.store(ctx.dtype(), out.segment(), 0, i * c + j, Floats.get(scratch, sums, j));
    }
  }

  private long keyAt(long batch, int key, int head) {
    return 4 * ((batch * keys + key) * heads + head) * c;
  }

  private float bias(long query, int token, int key) {
    if (bias instanceof AttentionBias.Window(int distance)) {
      return Math.abs(token - key) > distance ? Float.NEGATIVE_INFINITY : 0;
    }
    if (!(bias instanceof AttentionBias.RelativePositions r)) {
      return 0;
    }
    int down = token / r.gridWidth() - key / r.gridWidth() + r.gridHeight() - 1;
    int across = token % r.gridWidth() - key % r.gridWidth() + r.gridWidth() - 1;
    return kernels.dot(q, query, r.height().segment(), 4L * down * c, c)
        + kernels.dot(q, query, r.width().segment(), 4L * across * c, c);
  }

  /// x (B, T, D), whose rows may be far apart, as contiguous F32.
  private MemorySegment copy(Tensor x) {
    long d = x.dim(2);
    var copy = ctx.workspace().take(4 * x.size());
    for (long i = 0; i < x.dim(0) * x.dim(1); i++) {
      long from = i / x.dim(1) * x.stride(0) + i % x.dim(1) * x.stride(1);
      Unpack.toFloat(x.dtype(), x.segment(), from * x.dtype().blockBytes(), copy, 4 * i * d, d);
    }
    return copy;
  }
}
