package io.gatun.tensor.ops;

import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import java.util.ArrayList;

/// Attention within each of several texts, whose rows lie one after the other.
final class TextsAttention {
  /// The most tokens of a text whose products are made without a library: it would have to prepare
  /// for every length.
  private static final int SHORT = 512;

  private TextsAttention() {}

  static long flops(Tensor q, int[] starts) {
    long pairs = 0;
    for (int i = 1; i < starts.length; i++) {
      long length = starts[i] - starts[i - 1];
      pairs += length * length;
    }
    return 4 * pairs * q.dim(-1);
  }

  static Tensor apply(
      Context ctx,
      Tensor q,
      Tensor k,
      Tensor v,
      int[] starts,
      int heads,
      float scale,
      AttentionBias bias) {
    Check.rank("q", q, 2);
    if (!k.shape().equals(q.shape()) || !v.shape().equals(q.shape())) {
      throw new IllegalArgumentException(
          "k is %s, v %s; need the shape of q, %s".formatted(k.shape(), v.shape(), q.shape()));
    }
    Attention.check(ctx, q, k, v, heads);
    check(starts, q.dim(0), bias);
    var out = ctx.empty(q.dim(0), q.dim(1));
    try (var _ = ctx.scope()) {
      boolean own = ctx.backend() != Backend.SCALAR;
      var together = new ArrayList<BlockAttention>();
      for (int i = 0; i + 1 < starts.length; ) {
        int length = starts[i + 1] - starts[i];
        int count = 1;
        while (i + count + 1 < starts.length
            && starts[i + count + 1] - starts[i + count] == length) {
          count++;
        }
        if (length > 0) {
          var texts = new Texts(starts[i], count, length);
          if (own && length <= SHORT) {
            together.add(
                small(
                    ctx, texts.of(q), texts.of(k), texts.of(v), heads, scale, bias, texts.of(out)));
          } else {
            Attention.into(
                ctx, texts.of(q), texts.of(k), texts.of(v), heads, scale, bias, texts.of(out));
          }
        }
        i += count;
      }
      BlockAttention.run(ctx, together);
    }
    return out;
  }

  /// Neighbours of one length.
  private record Texts(int start, int count, int length) {
    Tensor of(Tensor x) {
      var rows = x.slice(0, start, start + (long) count * length);
      return Tensor.strided(
          rows.segment(),
          x.dtype(),
          Shape.of(count, length, x.dim(1)),
          length * x.stride(0),
          x.stride(0),
          1);
    }
  }

  private static BlockAttention small(
      Context ctx,
      Tensor q,
      Tensor k,
      Tensor v,
      int heads,
      float scale,
      AttentionBias bias,
      Tensor out) {
    var sizes = AttentionSizes.of(q, k, heads, bias);
    var products = new F32AttentionProducts(ctx, q, k, v, sizes, null);
    return new BlockAttention(ctx, sizes, products, null, bias, scale, out);
  }

  private static void check(int[] starts, long rows, AttentionBias bias) {
    if (bias instanceof AttentionBias.RelativePositions) {
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
