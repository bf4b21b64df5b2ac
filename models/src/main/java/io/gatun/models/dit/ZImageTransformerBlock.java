package io.gatun.models.dit;

import io.gatun.models.nn.RmsNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;

/// One block of Z-Image: attention and a feed-forward part, each normalized before and after.
final class ZImageTransformerBlock {
  /// Of the norms of queries and keys.
  private static final float EPS = 1e-5f;

  private final int heads;
  private final LinearWeight modulation;
  private final RmsNorm attentionNorm1;
  private final Projections attention;
  private final LinearWeight toOut;
  private final RmsNorm attentionNorm2;
  private final RmsNorm ffnNorm1;
  private final GatedMlp feedForward;
  private final RmsNorm ffnNorm2;

  /// @param time the size of the time's embedding; 0 for a block that knows no time
  ZImageTransformerBlock(ZImageConfig config, Weights weights, int time) {
    int d = config.dim();
    heads = config.nHeads();
    modulation = time == 0 ? null : weights.linear("adaLN_modulation.0", 4L * d, time);
    attentionNorm1 = weights.rmsNorm("attention_norm1", d, config.normEps());
    var w = weights.at("attention");
    attention = Projections.ofImage(w, d, d / heads, false, EPS);
    toOut = w.linearWithoutBias("to_out.0", d, d);
    attentionNorm2 = weights.rmsNorm("attention_norm2", d, config.normEps());
    ffnNorm1 = weights.rmsNorm("ffn_norm1", d, config.normEps());
    feedForward = GatedMlp.of(weights.at("feed_forward"), d, (long) (d / 3.0 * 8));
    ffnNorm2 = weights.rmsNorm("ffn_norm2", d, config.normEps());
  }

  /// x += tanh(gate1) * norm2(attention(norm1(x) * (1 + scale1))) x += tanh(gate2) *
  /// norm2(feedForward(norm1(x) * (1 + scale2))): x (T, D)
  ///
  /// @param time its embedding (1, A); null for a block that knows none
  Tensor forward(Functional f, Tensor x, Tensor time, AxialRope.Table rope) {
    return Scoped.call(
        f,
        () -> {
          float[] m = time == null ? null : f.toF32(f.linear(time, modulation)).toFloats();
          var n = times(f, attentionNorm1, m, 0, s -> 1 + s).forward(f, x);
          var seen =
              Heads.attention(
                  f,
                  rope.turn(f, attention.queries(f, n), null),
                  rope.turn(f, attention.keys(f, n), null),
                  attention.values(f, n),
                  heads);
          var y = f.linear(seen, toOut);
          var h = f.add(x, times(f, attentionNorm2, m, 1, Math::tanh).forward(f, y));
          y = feedForward.forward(f, times(f, ffnNorm1, m, 2, s -> 1 + s).forward(f, h));
          return f.add(h, times(f, ffnNorm2, m, 3, Math::tanh).forward(f, y));
        });
  }

  /// A norm and the factors after it in one: those of a part of the modulation.
  private static RmsNorm times(
      Functional f, RmsNorm norm, float[] modulation, int part, DoubleUnaryOperator factor) {
    if (modulation == null) {
      return norm;
    }
    float[] weight = norm.weight().toFloats();
    float[] own = Arrays.copyOfRange(modulation, part * weight.length, (part + 1) * weight.length);
    for (int i = 0; i < weight.length; i++) {
      weight[i] *= (float) factor.applyAsDouble(own[i]);
    }
    var product = f.ops().empty(weight.length);
    MemorySegment.copy(weight, 0, product.segment(), ValueLayout.JAVA_FLOAT, 0, weight.length);
    return new RmsNorm(product, norm.eps());
  }
}
