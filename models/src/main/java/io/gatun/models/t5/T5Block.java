package io.gatun.models.t5;

import io.gatun.models.nn.RmsNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// One block of T5's encoder.
final class T5Block {
  private final int heads;
  private final int headSize;
  private final RmsNorm attentionNorm;
  private final LinearWeight q;
  private final LinearWeight k;
  private final LinearWeight v;
  private final LinearWeight o;
  private final RmsNorm feedForwardNorm;
  private final LinearWeight wi0;
  private final LinearWeight wi1;
  private final LinearWeight wo;

  T5Block(T5Config config, Weights weights) {
    heads = config.numHeads();
    headSize = config.dKv();
    long d = config.dModel();
    long inner = (long) heads * headSize;
    var attention = weights.at("layer.0");
    attentionNorm = attention.rmsNorm("layer_norm", d, config.layerNormEpsilon());
    q = attention.linearWithoutBias("SelfAttention.q", inner, d);
    k = attention.linearWithoutBias("SelfAttention.k", inner, d);
    v = attention.linearWithoutBias("SelfAttention.v", inner, d);
    o = attention.linearWithoutBias("SelfAttention.o", d, inner);
    var feedForward = weights.at("layer.1");
    feedForwardNorm = feedForward.rmsNorm("layer_norm", d, config.layerNormEpsilon());
    wi0 = feedForward.linearWithoutBias("DenseReluDense.wi_0", config.dFf(), d);
    wi1 = feedForward.linearWithoutBias("DenseReluDense.wi_1", config.dFf(), d);
    wo = feedForward.linearWithoutBias("DenseReluDense.wo", d, config.dFf());
  }

  /// h = x + attention(norm(x)); n = norm(h); h + wo(gelu(wi0 n) * wi1 n): x (S, D).
  ///
  /// @param bias (H, S, S) F32, added to the scores
  Tensor forward(Functional f, Tensor x, Tensor bias) {
    return Scoped.call(
        f,
        () -> {
          var h = attention(f, attentionNorm.forward(f, x), x, bias); // (S, D)
          var n = feedForwardNorm.forward(f, h);
          var gate = f.linear(n, wi0, Epilogue.of(Activation.GELU_TANH)); // (S, F)
          return f.linear(f.mul(gate, f.linear(n, wi1)), wo, Epilogue.add(h));
        });
  }

  /// residual + softmax(q k^T + bias) v Wo. Queries are not scaled, so that scores are great: they
  /// are F32 whatever the activations are.
  private Tensor attention(Functional f, Tensor x, Tensor residual, Tensor bias) {
    return Scoped.call(
        f,
        () -> {
          var f32 = new Functional(f.ops(), DType.Plain.F32);
          long s = x.dim(0);
          var scores =
              f32.matmulTransposed(
                  f32.cast(byHead(f.linear(x, q))), f32.cast(byHead(f.linear(x, k)))); // (H, S, S)
          f.ops().addInPlace(scores, bias);
          f.ops().softmax(scores);
          var values = f32.cast(byHead(f.linear(x, v)).transpose(1, 2)); // (H, K, S)
          var y = f32.matmulTransposed(scores, values).transpose(0, 1); // (S, H, K)
          var rows = f.cast(y).reshape(s, (long) heads * headSize);
          return f.linear(rows, o, Epilogue.add(residual));
        });
  }

  /// (S, H K) as (H, S, K).
  private Tensor byHead(Tensor x) {
    return x.reshape(x.dim(0), heads, headSize).transpose(0, 1);
  }
}
