package io.gatun.tensor.ops.attention;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.GroupSoftmax;
import io.gatun.tensor.kernel.dense.Lanes;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// Attention between many rows and a few, as between an image and the tokens of a prompt, with one
/// product for all heads.
///
/// Products of a head with a handful of rows are too small to be fast. So the few rows of all heads
/// become those of one matrix, in which each has 0 where other heads' columns are: the heads are
/// blocks on a diagonal. Most products are with 0 then, and it takes a fraction of the time.
final class HeadsTogether {
  /// The most rows of all heads.
  private static final int MOST = 256;

  /// The other side has so many rows at the least.
  private static final int MANY = 256;

  /// The columns of a group of heads where queries are few.
  private static final int GROUP_COLUMNS = 64;

  /// Rows of a task where keys are few.
  private static final int BLOCK = 256;

  private HeadsTogether() {}

  private static boolean isPlain(Context ctx, AttentionSpec spec) {
    return ctx.usesOneDnn()
        && spec.positions() == null
        && spec.sinks() == null
        && spec.softcap() == 0
        && spec.before() == Integer.MAX_VALUE
        && spec.after() == Integer.MAX_VALUE;
  }

  /// Whether a few queries look at many keys.
  static boolean hasFewQueries(Context ctx, Tensor q, Tensor k, int heads, AttentionSpec spec) {
    return heads > groups(q, heads)
        && isPlain(ctx, spec)
        && heads * q.dim(1) <= MOST
        && k.dim(1) >= MANY;
  }

  /// In how many groups heads of queries are multiplied together: threads share the groups, and a
  /// vector should be full of the columns of one.
  static int groups(Tensor q, int heads) {
    long columns = q.dim(2) / heads;
    int groups = heads;
    while (groups % 2 == 0 && columns * heads / groups < GROUP_COLUMNS) {
      groups /= 2;
    }
    return groups;
  }

  /// Whether many queries look at a few keys.
  static boolean hasFewKeys(Context ctx, Tensor q, Tensor k, int heads, AttentionSpec spec) {
    return heads > 1
        && isPlain(ctx, spec)
        && ctx.dtype() == DType.Plain.BF16
        && k.dim(1) <= Math.min(GroupSoftmax.LONG, Lanes.COUNT)
        && Lanes.COUNT >= GroupSoftmax.SHORT
        && heads * groupSize(k) <= MOST
        && heads * groupSize(k) % Lanes.COUNT == 0
        && q.dim(1) >= MANY;
  }

  private static int groupSize(Tensor k) {
    return k.dim(1) <= GroupSoftmax.SHORT ? GroupSoftmax.SHORT : GroupSoftmax.LONG;
  }

  /// The rows of x (B, T, C) in blocks on diagonals, one for each group of heads: (B, n * size, C),
  /// where a group has `n` heads and row `i * size + t` has of each group head `i` of row `t`, and
  /// 0 elsewhere.
  static Tensor onDiagonal(Context ctx, Tensor x, int heads, int groups, int size) {
    int n = heads / groups;
    var out = ctx.empty(x.dim(0), (long) n * size, x.dim(2));
    out.segment().fill((byte) 0);
    each(
        out,
        size,
        x,
        heads,
        groups,
        (wide, narrow, bytes) ->
            MemorySegment.copy(x.segment(), narrow, out.segment(), wide, bytes));
    return out;
  }

  /// The reverse of [#onDiagonal]: of x (B, n * T, C) what lies on the diagonals, to `out` (B, T,
  /// C).
  static void fromDiagonal(Tensor x, int heads, int groups, Tensor out) {
    each(
        x,
        Math.toIntExact(out.dim(1)),
        out,
        heads,
        groups,
        (wide, narrow, bytes) ->
            MemorySegment.copy(x.segment(), wide, out.segment(), narrow, bytes));
  }

  private interface Copy {
    void run(long wide, long narrow, long bytes);
  }

  /// Where the heads' rows lie, in bytes, in blocks on diagonals and in (B, T, C).
  private static void each(Tensor wide, int size, Tensor narrow, int heads, int groups, Copy copy) {
    int n = heads / groups;
    long bytes = narrow.dtype().blockBytes();
    long head = narrow.dim(2) / heads;
    for (long b = 0; b < narrow.dim(0); b++) {
      for (long h = 0; h < heads; h++) {
        for (long t = 0; t < narrow.dim(1); t++) {
          long from = b * narrow.stride(0) + t * narrow.stride(1) + h * head;
          long to = ((b * n + h % n) * size + t) * wide.dim(2) + h * head;
          copy.run(to * bytes, from * bytes, head * bytes);
        }
      }
    }
  }

  /// A product with the few rows of each batch, which are packed.
  private record Product(MatmulSpec spec, PackedLayout layout, MemorySegment packed, long stride) {
    static Product of(Context ctx, MatmulSpec spec, Tensor rows) {
      var layout = OneDnn.packedLayout(spec);
      long stride = layout.byteSize() + 63 & -64;
      long batch = rows.byteSize() / rows.dim(0);
      var packed = ctx.workspace().take(stride * rows.dim(0));
      for (long b = 0; b < rows.dim(0); b++) {
        var from = rows.segment().asSlice(b * batch);
        OneDnn.pack(spec, ElementType.BF16, from, layout, packed.asSlice(b * stride));
      }
      return new Product(spec, layout, packed, stride);
    }

    void run(long batch, int rows, MemorySegment a, MemorySegment c) {
      OneDnn.matmul(spec.withLayout(layout).withRows(rows), a, packed.asSlice(batch * stride), c);
    }
  }

  /// Many queries q (B, T, C) and a few keys.
  static void fewKeys(
      Context ctx, Tensor q, Tensor k, Tensor v, int heads, AttentionSpec spec, Tensor out) {
    int size = groupSize(k);
    int width = heads * size;
    int queries = Math.toIntExact(q.dim(1));
    int c = Math.toIntExact(q.dim(2));
    int columns = Math.toIntExact(v.dim(2));
    int lda = Math.toIntExact(q.stride(1));
    var bf16 = ElementType.BF16;
    var scores =
        Product.of(
            ctx,
            MatmulSpec.of(BLOCK, width, c, bf16, bf16, ElementType.F32, true)
                .withStrides(lda, WeightLayout.transposed(c), width),
            onDiagonal(ctx, k, heads, 1, size));
    var values =
        Product.of(
            ctx,
            MatmulSpec.of(BLOCK, columns, width, bf16, bf16, bf16, false),
            onDiagonal(ctx, v, heads, 1, size));
    var uncounted = ctx.workspace().take(4L * Lanes.COUNT);
    for (int i = 0; i < Lanes.COUNT; i++) {
      boolean counts = i % size < k.dim(1);
      Floats.set(uncounted, 0, i, counts ? 0 : GroupSoftmax.UNCOUNTED);
    }
    int blocks = Math.ceilDiv(queries, BLOCK);
    long scoreBytes = 4L * BLOCK * width;
    long stride = scoreBytes + 2L * BLOCK * width;
    var scratch = ctx.workspace().take(stride * ctx.workers().threads());
    ctx.each(
        q.dim(0) * blocks,
        1,
        (worker, task) -> {
          long batch = task / blocks;
          int first = (int) (task % blocks) * BLOCK;
          int rows = Math.min(BLOCK, queries - first);
          var mine = scratch.asSlice(worker * stride);
          var weights = mine.asSlice(scoreBytes);
          scores.run(
              batch,
              rows,
              q.segment().asSlice(2 * (batch * q.stride(0) + (long) first * lda)),
              mine);
          GroupSoftmax.bf16(
              mine.address(),
              weights.address(),
              rows * width / Lanes.COUNT,
              size,
              spec.scale(),
              uncounted.address());
          values.run(
              batch, rows, weights, out.segment().asSlice(2 * (batch * queries + first) * columns));
        });
  }
}
