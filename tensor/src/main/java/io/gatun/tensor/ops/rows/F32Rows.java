package io.gatun.tensor.ops.rows;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// What language models do with rows of F32, most of it in place.
public final class F32Rows {
  private F32Rows() {}

  /// A kernel of two operands, whose result may go where one of them is.
  @FunctionalInterface
  public interface PairKernel {
    void run(
        MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long at);
  }

  public static Tensor gather(Context ctx, Tensor x, int[] rows) {
    Check.rank("x", x, 2);
    Check.f32("x", x);
    long d = x.dim(-1);
    var out = ctx.f32(rows.length, d);
    for (int i = 0; i < rows.length; i++) {
      Check.index("row", rows[i], x.dim(0));
      MemorySegment.copy(x.segment(), 4 * rows[i] * d, out.segment(), 4 * i * d, 4 * d);
    }
    return out;
  }

  public static void addBias(Context ctx, Tensor y, Tensor bias) {
    Check.f32("y", y);
    Check.writable("y", y);
    Check.f32("bias", bias);
    long n = Check.columns("y", y);
    Check.same("bias", bias.size(), "columns", n);
    ctx.each(
        y.size() / n,
        8,
        (worker, t) ->
            ctx.kernels()
                .add(y.segment(), 4 * t * n, bias.segment(), 0, n, y.segment(), 4 * t * n));
  }

  public static Tensor rmsNorm(Context ctx, Tensor x, Tensor weight, float eps) {
    Check.f32("x", x);
    Check.f32("weight", weight);
    Check.eps(eps);
    int d = Check.columns("x", x);
    Check.same("columns of the weight", weight.dim(-1), "columns", d);
    long turns = weight.size() / d;
    Check.same("rows", x.size() / d % turns, "beyond whole turns of the weight's rows", 0);
    var out = ctx.f32(x.shape().dims());
    ctx.each(
        x.size() / d,
        Context.grain(d),
        (worker, t) -> {
          long at = 4 * t * d;
          long w = 4 * (t % turns) * d;
          ctx.kernels().rmsNorm(x.segment(), at, weight.segment(), w, eps, d, out.segment(), at);
        });
    return out;
  }

  public static void inPlace(Context ctx, Tensor x, Tensor y, PairKernel kernel) {
    Check.f32("x", x);
    Check.f32("y", y);
    Check.sameShape(x, y);
    Check.writable("x", x);
    var out = x.segment();
    ctx.forEach(
        x.size(),
        1 << 14,
        (worker, from, to) ->
            kernel.run(out, 4 * from, y.segment(), 4 * from, to - from, out, 4 * from));
  }

  public static void softcap(Context ctx, Tensor x, float cap) {
    Check.f32("x", x);
    Check.writable("x", x);
    var out = x.segment();
    ctx.forEach(
        x.size(),
        1 << 12,
        (worker, from, to) ->
            ctx.kernels().softcap(out, 4 * from, cap, (int) (to - from), out, 4 * from));
  }

  public static void addScaled(Context ctx, Tensor x, long row, Tensor y, float factor) {
    Check.f32("x", x);
    Check.writable("x", x);
    Check.f32("y", y);
    long d = x.dim(-1);
    Check.same("y", y.size(), "columns", d);
    Check.rank("x", x, 2);
    Check.index("row", row, x.dim(0));
    Check.finite("factor", factor);
    ctx.kernels().addScaled(y.segment(), 0, factor, d, x.segment(), 4 * row * d);
  }

  public static void rope(Context ctx, Tensor x, Tensor cos, Tensor sin, boolean interleaved) {
    Check.rank("x", x, 3);
    Check.f32("x", x);
    Check.writable("x", x);
    Check.rank("cos", cos, 2);
    Check.f32("cos", cos);
    Check.f32("sin", sin);
    if (!sin.shape().equals(cos.shape())) {
      throw new IllegalArgumentException(
          "sin has shape %s; need that of cos, %s".formatted(sin.shape(), cos.shape()));
    }
    Check.same("cos rows", cos.dim(0), "tokens", x.dim(0));
    int turned = Math.toIntExact(cos.dim(1));
    if (turned > x.dim(2)) {
      throw new IllegalArgumentException(
          "cos has %d columns; a head has %d".formatted(turned, x.dim(2)));
    }
    int c = Math.toIntExact(x.dim(2));
    Check.same("odd channels of the head size", turned % 2, "channels are rotated in pairs", 0);
    long heads = x.dim(1);
    ctx.each(
        x.dim(0) * heads,
        Context.grain(c),
        (worker, i) ->
            ctx.kernels()
                .rope(
                    x.segment(),
                    4 * i * c,
                    cos.segment(),
                    sin.segment(),
                    4 * (i / heads) * turned,
                    turned,
                    interleaved));
  }
}
