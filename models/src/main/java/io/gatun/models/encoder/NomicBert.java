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
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Nomic's BERT (Nussbaum et al. 2024): rotary positions, SwiGLU, no biases.
final class NomicBert implements TextEncoder {
  record Config(
      int vocabSize,
      int hiddenSize,
      int intermediateSize,
      int numHiddenLayers,
      int numAttentionHeads,
      int maxPositionEmbeddings,
      int typeVocabSize,
      float layerNormEps,
      double ropeTheta) {}

  private final Config config;
  private final Tensor wordEmbeddings;
  private final Tensor tokenTypeEmbeddings;
  private final LayerNorm embLn;
  private final List<Layer> layers = new ArrayList<>();

  NomicBert(Config config, Weights weights) {
    this.config = config;
    long d = config.hiddenSize;
    wordEmbeddings = weights.tensor("embeddings.word_embeddings.weight", config.vocabSize, d);
    tokenTypeEmbeddings =
        weights.tensor("embeddings.token_type_embeddings.weight", config.typeVocabSize, d);
    embLn = weights.layerNorm("emb_ln", d, config.layerNormEps);
    for (int i = 0; i < config.numHiddenLayers; i++) {
      layers.add(new Layer(config, weights.at("encoder.layers", i)));
    }
  }

  /// x = layerNorm(word + type)
  @Override
  public Tensor forward(Functional f, TokenBatch batch, Consumer<Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var words = f.embedding(batch.ids(), wordEmbeddings); // (T, D)
          var types = f.embedding(batch.types(), tokenTypeEmbeddings);
          var rotary =
              Rotary.of(f, batch, config.ropeTheta, config.hiddenSize / config.numAttentionHeads);
          var x = embLn.forward(f, f.add(words, types));
          probe.accept(x);
          for (var layer : layers) {
            x = layer.forward(f, x, batch, rotary);
            probe.accept(x);
          }
          return x;
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

  /// One layer, normalized after each part.
  private static final class Layer {
    private final RotaryAttention attention;
    private final LinearWeight outProj;
    private final LayerNorm norm1;
    private final LinearWeight fc11;
    private final LinearWeight fc12;
    private final LinearWeight fc2;
    private final LayerNorm norm2;

    Layer(Config config, Weights weights) {
      long d = config.hiddenSize;
      long wide = config.intermediateSize;
      attention = RotaryAttention.of(weights, d, config.numAttentionHeads, AttentionBias.NONE);
      outProj = weights.linearWithoutBias("attn.out_proj", d, d);
      norm1 = weights.layerNorm("norm1", d, config.layerNormEps);
      fc11 = weights.linearWithoutBias("mlp.fc11", wide, d);
      fc12 = weights.linearWithoutBias("mlp.fc12", wide, d);
      fc2 = weights.linearWithoutBias("mlp.fc2", d, wide);
      norm2 = weights.layerNorm("norm2", d, config.layerNormEps);
    }

    /// h = layerNorm(x + attention(x)); y = layerNorm(h + fc2(fc11(h) * silu(fc12(h))))
    Tensor forward(Functional f, Tensor x, TokenBatch batch, Rotary rotary) {
      return Scoped.call(
          f,
          () -> {
            var seen = attention.forward(f, x, batch, rotary);
            var h = norm1.forward(f, f.linear(seen, outProj, Epilogue.add(x))); // (T, D)
            return norm2.forward(f, f.linear(gated(f, h), fc2, Epilogue.add(h)));
          });
    }

    private Tensor gated(Functional f, Tensor h) {
      var up = f32(f, f.linear(h, fc11));
      var gate = f32(f, f.linear(h, fc12));
      f.ops().siluMulInPlace(gate, up);
      return f.dtype() == DType.Plain.F32 ? gate : f.cast(gate);
    }

    private static Tensor f32(Functional f, Tensor x) {
      return x.dtype() == DType.Plain.F32 ? x : f.toF32(x);
    }
  }
}
