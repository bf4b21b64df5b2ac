package io.gatun.tensor.ops.attention;

import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import java.util.ArrayList;
import java.util.List;

/// Checks an attention and chooses how it is done.
public final class Attention {
  /// From so many rows that share keys on rounding everything to BF16 pays.
  private static final int BF16_ROWS = 64;

  /// The most tokens of a text whose products are made without a library: it would have to prepare
  /// for every length.
  private static final int SHORT = 512;

  /// The most queries of an image whose products are made without a library, as those of windows: a
  /// call of it takes longer.
  private static final int FEW = 64;

  private Attention() {}

  /// Of q (T, H, K) over what the pages of its rows hold: (T, H, V).
  public static Tensor apply(Context ctx, Tensor q, List<KvRows> all, AttentionSpec spec) {
    var kv = all.getFirst().pages().kv();
    Check.f32("q", q);
    Check.rank("q", q, 3);
    Check.same("head size", q.dim(2), "head size of the cache", kv.keyDim());
    Check.same("H modulo G", q.dim(1) % kv.heads(), "needed", 0);
    checkSinks(spec, q.dim(1));
    if (spec.positions() != null) {
      throw new IllegalArgumentException("texts have no grid that relative positions are of");
    }
    int heads = Math.toIntExact(q.dim(1));
    var out = ctx.f32(q.dim(0), heads, kv.valueDim());
    try (var _ = ctx.scope()) {
      var together = new ArrayList<FlashAttention>();
      for (var rows : all) {
        var shape = AttentionShape.of(rows, heads, spec);
        var from = q.slice(0, rows.from(), rows.to());
        var to = out.slice(0, rows.from(), rows.to());
        var pages = rows.pages();
        if (ctx.backend() == Backend.SCALAR) {
          ScalarAttention.of(ctx, shape, spec, from, pages, to).run();
        } else {
          boolean bf16 = shape.rowsPerBlock() >= BF16_ROWS && ctx.fast() && ctx.hasBf16();
          var products =
              bf16
                  ? new PagedBf16Products(ctx, from, pages, shape)
                  : new PagedF32Products(ctx, from, pages, shape);
          together.add(new FlashAttention(ctx, shape, spec, products, null, to));
        }
      }
      FlashAttention.run(ctx, together);
    }
    return out;
  }

  /// Of q (B, T, heads * K), k (B, S, heads * K) and v (B, S, heads * V): (B, T, heads * V).
  public static Tensor apply(
      Context ctx, Tensor q, Tensor k, Tensor v, int heads, AttentionSpec spec) {
    Check.rank("q", q, 3);
    Check.rank("k", k, 3);
    Check.rank("v", v, 3);
    check(ctx, q, k, v, heads);
    Check.same("batches of k", k.dim(0), "batches of q", q.dim(0));
    Check.same("batches of v", v.dim(0), "batches of q", q.dim(0));
    Check.same("rows of v", v.dim(1), "rows of k", k.dim(1));
    Check.same("columns of k", k.dim(2), "columns of q", q.dim(2));
    if (k.dim(1) == 0) {
      throw new IllegalArgumentException("attention needs keys; k has shape " + k.shape());
    }
    checkSpec(q, k, heads, spec);
    var out = ctx.empty(q.dim(0), q.dim(1), v.dim(2));
    if (out.size() > 0) {
      try (var _ = ctx.scope()) {
        if (HeadsTogether.hasFewKeys(ctx, q, k, heads, spec)) {
          HeadsTogether.fewKeys(ctx, apart(ctx, q), k, v, heads, spec, out);
        } else if (HeadsTogether.hasFewQueries(ctx, q, k, heads, spec)) {
          int groups = HeadsTogether.groups(q, heads);
          var all = HeadsTogether.onDiagonal(ctx, q, heads, groups, Math.toIntExact(q.dim(1)));
          var of = ctx.empty(q.dim(0), all.dim(1), v.dim(2));
          run(ctx, List.of(new Operands(all, k, v, of)), groups, spec, 0);
          HeadsTogether.fromDiagonal(of, heads, groups, out);
        } else {
          run(ctx, List.of(new Operands(q, k, v, out)), heads, spec, FEW);
        }
      }
    }
    return out;
  }

  /// Within each of several texts, whose rows lie one after the other.
  public static Tensor apply(
      Context ctx, Tensor q, Tensor k, Tensor v, int[] starts, int heads, AttentionSpec spec) {
    Check.rank("q", q, 2);
    if (!k.shape().equals(q.shape()) || !v.shape().equals(q.shape())) {
      throw new IllegalArgumentException(
          "k is %s, v %s; need the shape of q, %s".formatted(k.shape(), v.shape(), q.shape()));
    }
    check(ctx, q, k, v, heads);
    checkSinks(spec, heads);
    checkTexts(starts, q.dim(0), spec);
    var out = ctx.empty(q.dim(0), q.dim(1));
    try (var _ = ctx.scope()) {
      var all = new ArrayList<Operands>();
      for (int i = 0; i + 1 < starts.length; ) {
        int length = starts[i + 1] - starts[i];
        int next = i + 1;
        while (next + 1 < starts.length && starts[next + 1] - starts[next] == length) {
          next++;
        }
        if (length > 0) {
          var texts = new Texts(starts[i], next - i, length);
          all.add(new Operands(texts.of(q), texts.of(k), texts.of(v), texts.of(out)));
        }
        i = next;
      }
      run(ctx, all, heads, spec, SHORT);
    }
    return out;
  }

  /// Multiplications and additions, counted apart, within texts.
  public static long flops(Tensor q, int[] starts) {
    long pairs = 0;
    for (int i = 1; i < starts.length; i++) {
      long length = starts[i] - starts[i - 1];
      pairs += length * length;
    }
    return 4 * pairs * q.dim(-1);
  }

  /// Neighbours of one length.
  private record Texts(int start, int count, int length) {
    Tensor of(Tensor x) {
      var rows = x.slice(0, start, start + (long) count * length);
      var shape = Shape.of(count, length, x.dim(1));
      long row = x.stride(0);
      return Tensor.strided(rows.segment(), x.dtype(), shape, length * row, row, 1);
    }
  }

  /// Queries, keys, values and where the result goes, each (batches, rows, columns).
  private record Operands(Tensor q, Tensor k, Tensor v, Tensor out) {}

  /// @param ours so many queries have products without a library
  private static void run(
      Context ctx, List<Operands> all, int heads, AttentionSpec spec, int ours) {
    var table = spec.positions() == null ? null : new RelativeTable(ctx, spec.positions());
    var together = new ArrayList<FlashAttention>();
    for (var each : all) {
      var shape = AttentionShape.of(each.q, each.k, each.v, heads, spec);
      if (ctx.backend() == Backend.SCALAR) {
        ScalarAttention.of(ctx, shape, spec, each.q, each.k, each.v, each.out).run();
      } else {
        var q = apart(ctx, each.q);
        var k = apart(ctx, each.k);
        var v = apart(ctx, each.v);
        var products =
            ctx.usesOneDnn() && shape.queries() > ours
                ? new DenseOneDnnProducts(ctx, q, k, v, shape, table)
                : new DenseF32Products(ctx, q, k, v, shape, table);
        together.add(new FlashAttention(ctx, shape, spec, products, table, each.out));
      }
    }
    FlashAttention.run(ctx, together);
  }

  /// Rows that do not overlap, as those of a repeated row do: products want them so.
  private static Tensor apart(Context ctx, Tensor t) {
    return t.dim(1) > 1 && t.stride(1) < t.dim(2) ? ctx.dense(t) : t;
  }

  /// Checks that the innermost dimension of each is `heads` heads of the activations' type.
  private static void check(Context ctx, Tensor q, Tensor k, Tensor v, int heads) {
    if (heads < 1) {
      throw new IllegalArgumentException("heads is " + heads + "; need at least 1");
    }
    check(ctx, "q", q, heads);
    check(ctx, "k", k, heads);
    check(ctx, "v", v, heads);
  }

  private static void check(Context ctx, String name, Tensor t, int heads) {
    Check.same("columns of " + name + " modulo heads", t.dim(-1) % heads, "needed", 0);
    if (t.dtype() != ctx.dtype() || (t.dim(-1) > 1 && t.stride(t.shape().rank() - 1) != 1)) {
      throw new IllegalArgumentException(
          "%s is %s %s; need %s, the activations' type, with no gaps between columns"
              .formatted(name, t.dtype().name(), t.shape(), ctx.dtype().name()));
    }
  }

  private static void checkSinks(AttentionSpec spec, long heads) {
    if (spec.sinks() != null) {
      Check.f32("sinks", spec.sinks());
      Check.same("sinks", spec.sinks().size(), "heads", heads);
    }
  }

  private static void checkSpec(Tensor q, Tensor k, int heads, AttentionSpec spec) {
    checkSinks(spec, heads);
    if (spec.after() != Integer.MAX_VALUE) {
      Check.same("keys of attention in a window", k.dim(1), "queries", q.dim(1));
    }
    if (spec.positions() != null) {
      var r = spec.positions();
      long cells = (long) r.gridHeight() * r.gridWidth();
      Check.rank("relative positions in height", r.height(), 2);
      Check.rank("relative positions in width", r.width(), 2);
      Check.f32("relative positions in height", r.height());
      Check.f32("relative positions in width", r.width());
      Check.same("queries", q.dim(1), "cells of the grid", cells);
      Check.same("keys", k.dim(1), "cells of the grid", cells);
      Check.same("relative positions in height", r.height().dim(1), "head size", q.dim(2) / heads);
      Check.same("relative positions in width", r.width().dim(1), "head size", q.dim(2) / heads);
    }
  }

  private static void checkTexts(int[] starts, long rows, AttentionSpec spec) {
    if (spec.positions() != null) {
      throw new IllegalArgumentException("texts have no grid that relative positions are of");
    }
    boolean ascending = starts.length > 0 && starts[0] == 0 && starts[starts.length - 1] == rows;
    for (int i = 1; i < starts.length; i++) {
      ascending &= starts[i] >= starts[i - 1];
    }
    if (!ascending) {
      throw new IllegalArgumentException(
          "texts do not begin at 0 and end at row " + rows + ", one after the other");
    }
  }
}
