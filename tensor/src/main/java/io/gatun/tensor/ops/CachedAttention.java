package io.gatun.tensor.ops;

import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Kernels;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// Attention over a [KvCache], page by page with a running softmax (FlashAttention, Dao et al.
/// 2022), so that no matrix of T x T scores ever exists.
///
/// The query heads that share a key/value head are stacked: their rows form one matrix (M, C), M =
/// tokens * H / G, whose products with a page are two small matrix products.
final class CachedAttention {
  private static final int PAGE = KvCache.PAGE;

  /// Rows of the stacked matrix that one task handles at the most.
  private static final int ROWS = 128;

  /// From so many rows on OpenBLAS beats the small vector kernel.
  private static final int NATIVE_ROWS = 16;

  private final Ops ops;
  private final Kernels kernels;
  private final Tensor q;
  private final KvCache cache;
  private final int layer;
  private final int position;
  private final int window;
  private final float scale;
  private final Tensor out;

  private final int tokens;
  private final int heads;
  private final int c;
  private final int group;
  private final int tokensPerTask;
  private final MemorySegment scratch;
  private final long scratchBytes;

  private CachedAttention(
      Ops ops, Tensor q, KvCache cache, int layer, int position, float scale, int window) {
    this.ops = ops;
    this.kernels = ops.kernels();
    this.q = q;
    this.cache = cache;
    this.layer = layer;
    this.position = position;
    this.scale = scale;
    this.window = window;
    tokens = Math.toIntExact(q.dim(0));
    heads = Math.toIntExact(q.dim(1));
    c = Math.toIntExact(q.dim(2));
    group = heads / cache.heads();
    tokensPerTask = Math.max(1, Math.min(tokens, ROWS / group));
    out = ops.empty(tokens, heads, c);
    int rows = tokensPerTask * group;
    scratchBytes = 4L * (2L * rows * c + (long) rows * PAGE + 2L * PAGE * c + 2L * rows) + 256;
    scratch = ops.workspace().take(scratchBytes * ops.workers().threads());
  }

  static Tensor apply(
      Ops ops, Tensor q, KvCache cache, int layer, int position, float scale, int window) {
    Check.f32("q", q);
    Check.rank("q", q, 3);
    Check.same("head size", q.dim(2), "head size of the cache", cache.headSize());
    Check.same("H modulo G", q.dim(1) % cache.heads(), "needed", 0);
    var attention = new CachedAttention(ops, q, cache, layer, position, scale, window);
    long blocks = Math.ceilDiv(attention.tokens, attention.tokensPerTask);
    ops.workers()
        .forEach(
            blocks * cache.heads(),
            1,
            (worker, from, to) -> {
              for (long i = from; i < to; i++) {
                attention.block(worker, (int) (i % cache.heads()), (int) (i / cache.heads()));
              }
            });
    return attention.out;
  }

  /// The rows of `block` for one key/value head.
  private void block(int worker, int head, int block) {
    int first = block * tokensPerTask;
    int count = Math.min(tokensPerTask, tokens - first);
    int rows = count * group;
    // The worker's scratch: queries (M, C), sums (M, C), scores (M, PAGE), keys, values, max,
    // total.
    long queries = worker * scratchBytes;
    long sums = queries + 4L * rows * c;
    long scores = sums + 4L * rows * c;
    long keys = scores + 4L * rows * PAGE;
    long values = keys + 4L * PAGE * c;
    long max = values + 4L * PAGE * c;
    long total = max + 4L * rows;
    gather(head, first, count, queries);
    scratch.asSlice(sums, 4L * rows * c).fill((byte) 0);
    for (int m = 0; m < rows; m++) {
      Floats.set(scratch, max, m, Float.NEGATIVE_INFINITY);
      Floats.set(scratch, total, m, 0);
    }
    int end = position + first + count;
    int start = window > 0 ? Math.max(0, position + first + 1 - window) : 0;
    for (int page = start / PAGE; page * PAGE < end; page++) {
      int n = Math.min(PAGE, end - page * PAGE);
      var memory = cache.page(page);
      long keyMemory = cache.keysAt(layer, head);
      long valueMemory = cache.valuesAt(layer, head);
      if (cache.dtype() == DType.Plain.F32) {
        product(scratch, queries, c, memory, keyMemory, PAGE, scores, PAGE, rows, n, c, false);
        softmax(rows, n, page, first, scores, sums, max, total);
        product(scratch, scores, PAGE, memory, valueMemory, c, sums, c, rows, c, n, true);
      } else {
        Unpack.toFloat(cache.dtype(), memory, keyMemory, scratch, keys, (long) PAGE * c);
        product(scratch, queries, c, scratch, keys, PAGE, scores, PAGE, rows, n, c, false);
        softmax(rows, n, page, first, scores, sums, max, total);
        Unpack.toFloat(cache.dtype(), memory, valueMemory, scratch, values, (long) n * c);
        product(scratch, scores, PAGE, scratch, values, c, sums, c, rows, c, n, true);
      }
    }
    scatter(head, first, count, sums, total);
  }

  private void gather(int head, int first, int count, long queries) {
    for (int t = 0; t < count; t++) {
      long from = 4 * ((long) (first + t) * heads + (long) head * group) * c;
      kernels.scale(
          q.segment(), from, scale, (long) group * c, scratch, queries + 4L * t * group * c);
    }
  }

  private void scatter(int head, int first, int count, long sums, long total) {
    for (int t = 0; t < count; t++) {
      for (int h = 0; h < group; h++) {
        int m = t * group + h;
        long to = 4 * ((long) (first + t) * heads + (long) head * group + h) * c;
        float factor = 1 / Floats.get(scratch, total, m);
        kernels.scale(scratch, sums + 4L * m * c, factor, c, out.segment(), to);
      }
    }
  }

  /// Turns the scores of a page into weights relative to each row's greatest score so far, and
  /// brings the sums of earlier pages onto the same footing.
  private void softmax(
      int rows, int n, int page, int first, long scores, long sums, long max, long total) {
    for (int m = 0; m < rows; m++) {
      int limit = position + first + m / group + 1;
      int hi = Math.clamp(limit - page * PAGE, 0, n);
      int lo = window > 0 ? Math.clamp((long) limit - window - page * PAGE, 0, hi) : 0;
      long row = scores + 4L * m * PAGE;
      if (hi > lo) {
        float old = Floats.get(scratch, max, m);
        float now = Math.max(old, kernels.max(scratch, row + 4L * lo, hi - lo));
        if (now > old) {
          float factor = (float) Math.exp(old - now);
          kernels.scale(scratch, sums + 4L * m * c, factor, c, scratch, sums + 4L * m * c);
          Floats.set(scratch, total, m, Floats.get(scratch, total, m) * factor);
          Floats.set(scratch, max, m, now);
        }
        float sum = kernels.expSum(scratch, row + 4L * lo, now, hi - lo);
        Floats.set(scratch, total, m, Floats.get(scratch, total, m) + sum);
      }
      for (int j = 0; j < n; j++) {
        if (j < lo || j >= hi) {
          Floats.set(scratch, row, j, 0);
        }
      }
    }
  }

  private void product(
      MemorySegment a,
      long aAt,
      int lda,
      MemorySegment b,
      long bAt,
      int ldb,
      long cAt,
      int ldc,
      int m,
      int n,
      int k,
      boolean accumulate) {
    if (ops.backend() == Backend.NATIVE && m >= NATIVE_ROWS && OpenBlas.isAvailable()) {
      OpenBlas.sgemm(
          false,
          false,
          m,
          n,
          k,
          1,
          a.asSlice(aAt),
          lda,
          b.asSlice(bAt),
          ldb,
          accumulate ? 1 : 0,
          scratch.asSlice(cAt),
          ldc);
    } else {
      kernels.gemm(a, aAt, lda, b, bAt, ldb, scratch, cAt, ldc, m, n, k, accumulate);
    }
  }
}
