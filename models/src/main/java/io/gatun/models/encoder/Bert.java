package io.gatun.models.encoder;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionBias;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// BERT (Devlin et al. 2018), and RoBERTa and XLM-RoBERTa (Conneau et al. 2019), whose positions
/// begin behind that of the padding token.
final class Bert implements TextEncoder {
  /// @param firstPosition the row of the position table that a text's first token has
  record Config(
      int vocabSize,
      int hiddenSize,
      int intermediateSize,
      int numHiddenLayers,
      int numAttentionHeads,
      int maxPositionEmbeddings,
      int typeVocabSize,
      float layerNormEps,
      Activation hiddenAct,
      int firstPosition) {}

  private final Config config;
  private final Tensor wordEmbeddings;
  private final Tensor positionEmbeddings;
  private final Tensor tokenTypeEmbeddings;
  private final LayerNorm layerNorm;
  private final List<Layer> layers = new ArrayList<>();

  Bert(Config config, Weights weights) {
    this.config = config;
    long d = config.hiddenSize;
    var embeddings = weights.at("embeddings");
    wordEmbeddings = embeddings.tensor("word_embeddings.weight", config.vocabSize, d);
    positionEmbeddings =
        embeddings.tensor("position_embeddings.weight", config.maxPositionEmbeddings, d);
    tokenTypeEmbeddings =
        embeddings.tensor("token_type_embeddings.weight", config.typeVocabSize, d);
    layerNorm = embeddings.layerNorm("LayerNorm", d, config.layerNormEps);
    for (int i = 0; i < config.numHiddenLayers; i++) {
      layers.add(new Layer(config, weights.at("encoder.layer", i)));
    }
  }

  /// x = layerNorm(word + position + type)
  @Override
  public Tensor forward(Functional f, TokenBatch batch, Consumer<Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var words = f.embedding(batch.ids(), wordEmbeddings); // (T, D)
          var positions = f.embedding(batch.positions(config.firstPosition), positionEmbeddings);
          var types = f.embedding(batch.types(), tokenTypeEmbeddings);
          var x = layerNorm.forward(f, f.add(f.add(words, types), positions));
          probe.accept(x);
          for (var layer : layers) {
            x = layer.forward(f, x, batch);
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
    return config.maxPositionEmbeddings - config.firstPosition;
  }

  /// One layer, normalized after each part.
  private static final class Layer {
    private final int heads;
    private final Activation activation;
    private final LinearWeight queryKeyValue;
    private final LinearWeight attentionOutput;
    private final LayerNorm attentionNorm;
    private final LinearWeight intermediate;
    private final LinearWeight output;
    private final LayerNorm outputNorm;

    Layer(Config config, Weights weights) {
      long d = config.hiddenSize;
      heads = config.numAttentionHeads;
      activation = config.hiddenAct;
      var attention = weights.at("attention");
      queryKeyValue =
          attention.linears(List.of("self.query", "self.key", "self.value"), d, d, true);
      attentionOutput = attention.linear("output.dense", d, d);
      attentionNorm = attention.layerNorm("output.LayerNorm", d, config.layerNormEps);
      intermediate = weights.linear("intermediate.dense", config.intermediateSize, d);
      output = weights.linear("output.dense", d, config.intermediateSize);
      outputNorm = weights.layerNorm("output.LayerNorm", d, config.layerNormEps);
    }

    /// h = layerNorm(x + attention(x)); y = layerNorm(h + output(gelu(intermediate(h))))
    Tensor forward(Functional f, Tensor x, TokenBatch batch) {
      return Scoped.call(
          f,
          () -> {
            var qkv = f.linear(x, queryKeyValue); // (T, 3 D)
            long d = x.dim(1);
            var seen =
                f.attention(
                    qkv.slice(1, 0, d),
                    qkv.slice(1, d, 2 * d),
                    qkv.slice(1, 2 * d, 3 * d),
                    batch.starts(),
                    heads,
                    (float) (1 / Math.sqrt((double) d / heads)),
                    AttentionBias.NONE); // (T, D)
            var h = attentionNorm.forward(f, f.linear(seen, attentionOutput, Epilogue.add(x)));
            var wide = f.linear(h, intermediate, Epilogue.of(activation)); // (T, 4 D)
            return outputNorm.forward(f, f.linear(wide, output, Epilogue.add(h)));
          });
    }
  }
}
