package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;

/// One layer of the stack.
@FunctionalInterface
public interface DecoderLayer {
  /// Adds what the layer finds to the residual stream x (T, D), in place.
  void forward(Ops ops, Tensor x, Step step);

  /// Attention, then the feed-forward layer, each with a norm before it (Llama).
  static DecoderLayer preNorm(
      Norm inputNorm, SelfAttention attention, Norm mlpNorm, FeedForward mlp) {
    return new Sequential(inputNorm, attention, Norm.none(), mlpNorm, mlp, Norm.none());
  }

  /// Attention, then the feed-forward layer, each between two norms.
  ///
  ///     h = x + postAttention(attention(preAttention(x)));  y = h + postMlp(mlp(preMlp(h)))
  record Sequential(
      Norm preAttention,
      SelfAttention attention,
      Norm postAttention,
      Norm preMlp,
      FeedForward mlp,
      Norm postMlp)
      implements DecoderLayer {
    @Override
    public void forward(Ops ops, Tensor x, Step step) {
      try (var _ = ops.scope()) {
        var y = attention.forward(ops, preAttention.activations(ops, x), step);
        ops.addInPlace(x, postAttention.of(ops, y));
      }
      try (var _ = ops.scope()) {
        var y = mlp.forward(ops, preMlp.activations(ops, x));
        ops.addInPlace(x, postMlp.of(ops, y));
      }
    }
  }

  /// Attention and the feed-forward layer side by side, of the same normalized input (Wang and
  /// Komatsuzaki 2021, "GPT-J").
  ///
  ///     n = norm(x);  y = x + attention(n) + mlp(n)
  record Parallel(Norm norm, SelfAttention attention, FeedForward mlp) implements DecoderLayer {
    @Override
    public void forward(Ops ops, Tensor x, Step step) {
      try (var _ = ops.scope()) {
        var normed = norm.activations(ops, x);
        var fromAttention = attention.forward(ops, normed, step);
        var fromMlp = mlp.forward(ops, normed);
        ops.addInPlace(x, fromAttention);
        ops.addInPlace(x, fromMlp);
      }
    }
  }
}
