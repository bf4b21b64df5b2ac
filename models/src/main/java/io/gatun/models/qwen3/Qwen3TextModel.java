package io.gatun.models.qwen3;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Qwen3's first layers.
public final class Qwen3TextModel {
  private final Qwen3Config config;
  private final Tensor embedTokens;
  private final List<Qwen3Layer> layers = new ArrayList<>();

  /// @param depth how many layers are made, from the first
  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public Qwen3TextModel(Qwen3Config config, Weights checkpoint, int depth) {
    this.config = config;
    var weights = checkpoint.because(config.reason()).at("model");
    embedTokens = weights.tensor("embed_tokens.weight", config.vocabSize(), config.hiddenSize());
    for (int i = 0; i < depth; i++) {
      layers.add(new Qwen3Layer(config, weights.at("layers", i)));
    }
  }

  public Qwen3Config config() {
    return config;
  }

  /// The hidden states (S, D) after the embedding and after each layer, shown to `probe`.
  ///
  /// @param ids the tokens of a text and, behind them, of padding, which sees the text alone
  /// @param text how many are the text's
  public void forward(Functional f, int[] ids, int text, Consumer<Tensor> probe) {
    try (var _ = f.scope()) {
      var cos = f.ops().empty(ids.length, config.headDim());
      var sin = f.ops().empty(ids.length, config.headDim());
      turns(cos, sin);
      var x = f.embedding(ids, embedTokens); // (S, D)
      probe.accept(x);
      for (var layer : layers) {
        var in = x;
        x = Scoped.call(f, () -> layer.forward(f, in, text, cos, sin));
        probe.accept(x);
      }
    }
  }

  /// Rotary positions (Su et al. 2021) of the halves of a head.
  private void turns(Tensor cos, Tensor sin) {
    int k = config.headDim();
    int half = k / 2;
    for (int t = 0; t < cos.dim(0); t++) {
      for (int i = 0; i < half; i++) {
        double angle = t / Math.pow(config.ropeTheta(), 2.0 * i / k);
        set(cos, t * k + i, Math.cos(angle));
        set(cos, t * k + half + i, Math.cos(angle));
        set(sin, t * k + i, -Math.sin(angle));
        set(sin, t * k + half + i, Math.sin(angle));
      }
    }
  }

  private static void set(Tensor t, long i, double value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value);
  }
}
