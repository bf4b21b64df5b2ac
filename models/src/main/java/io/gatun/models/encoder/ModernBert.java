package io.gatun.models.encoder;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionBias;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// ModernBERT (Warner et al. 2024): rotary positions, GeGLU, norms before each part; one layer of
/// some sees the whole text, the others near tokens only.
final class ModernBert implements TextEncoder {
  /// @param localAttention the width of the window of the layers that are not global
  record Config(
      int vocabSize,
      int hiddenSize,
      int intermediateSize,
      int numHiddenLayers,
      int numAttentionHeads,
      int maxPositionEmbeddings,
      float normEps,
      int globalAttnEveryNLayers,
      int localAttention,
      double globalRopeTheta,
      double localRopeTheta) {
    int headSize() {
      return hiddenSize / numAttentionHeads;
    }
  }

  private final Config config;
  private final Tensor tokEmbeddings;
  private final LayerNorm norm;
  private final List<Layer> layers = new ArrayList<>();
  private final LayerNorm finalNorm;

  ModernBert(Config config, Weights weights) {
    this.config = config;
    long d = config.hiddenSize;
    tokEmbeddings = weights.tensor("embeddings.tok_embeddings.weight", config.vocabSize, d);
    norm = norm(weights, "embeddings.norm", config);
    for (int i = 0; i < config.numHiddenLayers; i++) {
      layers.add(new Layer(config, weights.at("layers", i), i));
    }
    finalNorm = norm(weights, "final_norm", config);
  }

  private static LayerNorm norm(Weights weights, String name, Config config) {
    long d = config.hiddenSize;
    var noBias = Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, d);
    return new LayerNorm(weights.tensor(name + ".weight", d), noBias, config.normEps);
  }

  /// x = layerNorm(embedding); x = layer(x) for each layer; layerNorm(x)
  @Override
  public Tensor forward(Functional f, TokenBatch batch, Consumer<Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var global = Rotary.of(f, batch, config.globalRopeTheta, config.headSize());
          var local = Rotary.of(f, batch, config.localRopeTheta, config.headSize());
          var x = norm.forward(f, f.embedding(batch.ids(), tokEmbeddings)); // (T, D)
          probe.accept(x);
          for (int i = 0; i < layers.size(); i++) {
            var layer = layers.get(i);
            x = layer.forward(f, x, batch, layer.isGlobal ? global : local);
            if (i < layers.size() - 1) {
              probe.accept(x);
            }
          }
          var last = finalNorm.forward(f, x);
          probe.accept(last);
          return last;
        });
  }

  @Override
  public int hiddenSize() {
    return config.hiddenSize;
  }

  @Override
  public int layers() {
    return layers.size();
  }

  @Override
  public int maxTokens() {
    return config.maxPositionEmbeddings;
  }

  /// One layer, normalized before each part.
  private static final class Layer {
    private final boolean isGlobal;
    private final LayerNorm attnNorm;
    private final RotaryAttention attention;
    private final LinearWeight attnOut;
    private final LayerNorm mlpNorm;
    private final LinearWeight wi;
    private final LinearWeight mlpOut;

    Layer(Config config, Weights weights, int index) {
      long d = config.hiddenSize;
      long wide = config.intermediateSize;
      isGlobal = index % config.globalAttnEveryNLayers == 0;
      // What comes from the embedding is normalized already.
      attnNorm = index == 0 ? null : norm(weights, "attn_norm", config);
      var bias =
          isGlobal ? AttentionBias.NONE : new AttentionBias.Window(config.localAttention / 2);
      attention = RotaryAttention.of(weights, d, config.numAttentionHeads, bias);
      attnOut = weights.linearWithoutBias("attn.Wo", d, d);
      mlpNorm = norm(weights, "mlp_norm", config);
      // The file has what goes through gelu first; the product wants it last.
      var halves = weights.tensor("mlp.Wi.weight", 2 * wide, d);
      wi =
          LinearWeight.concat(
              List.of(
                  LinearWeight.of(halves.slice(0, wide, 2 * wide), null),
                  LinearWeight.of(halves.slice(0, 0, wide), null)));
      mlpOut = weights.linearWithoutBias("mlp.Wo", d, wide);
    }

    /// h = x + attention(layerNorm(x)); y = h + Wo(gelu(a) * b), a and b being Wi(layerNorm(h))
    Tensor forward(Functional f, Tensor x, TokenBatch batch, Rotary rotary) {
      return Scoped.call(
          f,
          () -> {
            var in = attnNorm == null ? x : attnNorm.forward(f, x);
            var seen = attention.forward(f, in, batch, rotary); // (T, D)
            var h = f.linear(seen, attnOut, Epilogue.add(x));
            var gated = f.linearGeglu(mlpNorm.forward(f, h), wi); // (T, F)
            return f.linear(gated, mlpOut, Epilogue.add(h));
          });
    }
  }
}
