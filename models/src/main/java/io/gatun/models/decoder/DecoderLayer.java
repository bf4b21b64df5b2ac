package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import java.util.List;

/// One layer of the stack.
public interface DecoderLayer {
  /// Adds what the layer finds to the residual stream x (T, D), in place.
  void forward(Ops ops, Tensor x, Step step);

  /// Its parts that keep something of each sequence, in the order in which they run.
  List<TokenMixer> mixers();

  /// A mixer, mostly attention, then the feed-forward layer, each with a norm before it (Llama).
  static DecoderLayer preNorm(Norm inputNorm, TokenMixer mixer, Norm mlpNorm, FeedForward mlp) {
    return new Sequential(inputNorm, mixer, Norm.none(), mlpNorm, mlp, Norm.none());
  }

  /// A mixer alone, with a norm before it: `y = x + mixer(norm(x))`.
  static DecoderLayer of(Norm norm, TokenMixer mixer) {
    return new Single(norm, mixer::forward, List.of(mixer));
  }

  /// A feed-forward layer alone, with a norm before it: `y = x + mlp(norm(x))`.
  static DecoderLayer of(Norm norm, FeedForward mlp) {
    return new Single(norm, (ops, x, _) -> mlp.forward(ops, x), List.of());
  }

  /// Layers of one part (Nemotron-H).
  record Single(Norm norm, Part part, List<TokenMixer> mixers) implements DecoderLayer {
    /// What the layer is made of.
    public interface Part {
      Tensor forward(Ops ops, Activations x, Step step);
    }

    @Override
    public void forward(Ops ops, Tensor x, Step step) {
      try (var _ = ops.scope()) {
        ops.addInPlace(x, part.forward(ops, norm.activations(ops, x), step));
      }
    }
  }

  /// A mixer, mostly attention, then the feed-forward layer, each between two norms.
  ///
  ///     h = x + postMixer(mixer(preMixer(x)));  y = h + postMlp(mlp(preMlp(h)))
  record Sequential(
      Norm preMixer, TokenMixer mixer, Norm postMixer, Norm preMlp, FeedForward mlp, Norm postMlp)
      implements DecoderLayer {
    @Override
    public List<TokenMixer> mixers() {
      return List.of(mixer);
    }

    @Override
    public void forward(Ops ops, Tensor x, Step step) {
      try (var _ = ops.scope()) {
        var y = mixer.forward(ops, preMixer.activations(ops, x), step);
        ops.addInPlace(x, postMixer.of(ops, y));
      }
      try (var _ = ops.scope()) {
        var y = mlp.forward(ops, preMlp.activations(ops, x));
        ops.addInPlace(x, postMlp.of(ops, y));
      }
    }
  }

  /// A mixer and the feed-forward layer side by side, of the same normalized input (Wang and
  /// Komatsuzaki 2021, "GPT-J").
  ///
  ///     n = norm(x);  y = x + mixer(n) + mlp(n)
  record Parallel(Norm norm, TokenMixer mixer, FeedForward mlp) implements DecoderLayer {
    @Override
    public List<TokenMixer> mixers() {
      return List.of(mixer);
    }

    @Override
    public void forward(Ops ops, Tensor x, Step step) {
      try (var _ = ops.scope()) {
        var normed = norm.activations(ops, x);
        var fromMixer = mixer.forward(ops, normed, step);
        var fromMlp = mlp.forward(ops, normed);
        ops.addInPlace(x, fromMixer);
        ops.addInPlace(x, fromMlp);
      }
    }
  }
}
