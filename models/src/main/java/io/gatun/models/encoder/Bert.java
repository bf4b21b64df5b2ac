package io.gatun.models.encoder;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Keys;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// BERT (Devlin et al. 2018), and RoBERTa and XLM-RoBERTa (Conneau et al. 2019), whose positions
/// begin behind that of the padding token.
final class Bert implements EncoderArchitecture {
  private static final Pattern HARMLESS = Pattern.compile("output_past");

  @Override
  public Set<String> types() {
    return Set.of("bert", "roberta", "xlm_roberta");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.ofEntries(
        Map.entry("embeddings.word_embeddings", "token_embd"),
        Map.entry("embeddings.position_embeddings", "position_embd"),
        Map.entry("embeddings.token_type_embeddings", "token_types"),
        Map.entry("embeddings.LayerNorm", "token_embd_norm"),
        Map.entry("attention.self.query", "attn_q"),
        Map.entry("attention.self.key", "attn_k"),
        Map.entry("attention.self.value", "attn_v"),
        Map.entry("attention.output.dense", "attn_output"),
        Map.entry("attention.output.LayerNorm", "attn_output_norm"),
        Map.entry("intermediate.dense", "ffn_up"),
        Map.entry("output.dense", "ffn_down"),
        Map.entry("output.LayerNorm", "layer_output_norm"));
  }

  @Override
  public TextEncoder build(Keys keys, Weights weights) {
    keys.require("position_embedding_type", "absolute", "absolute");
    keys.refuse("add_cross_attention");
    var heads = EncoderHeads.of(keys, "hidden_size", "num_attention_heads");
    int d = heads.hiddenSize();
    int wide = keys.count("intermediate_size");
    int positions = keys.count("max_position_embeddings");
    int first = firstPosition(keys);
    if (first < 0 || positions <= first) {
      throw new CheckpointException(
          "%s: max_position_embeddings %d leaves no position behind that of pad_token_id"
              .formatted(keys.where(), positions));
    }
    float eps = (float) keys.number("layer_norm_eps", 1e-12);
    var activation = activation(keys);
    var embeddings = weights.at("embeddings");
    var embedding =
        new Embedding(
            embeddings.tensor("word_embeddings.weight", keys.count("vocab_size"), d),
            embeddings.tensor("position_embeddings.weight", positions, d),
            embeddings.tensor("token_type_embeddings.weight", keys.count("type_vocab_size", 2), d),
            embeddings.layerNorm("LayerNorm", d, eps),
            first);
    var layers =
        IntStream.range(0, keys.count("num_hidden_layers"))
            .mapToObj(i -> weights.at("encoder.layer", i))
            .map(w -> Layer.of(w, heads, wide, activation, eps))
            .toList();
    keys.requireAllRead(HARMLESS);
    return new EncoderStack(d, positions - first, embedding, List.of(), layers, null);
  }

  /// The row of the position table that a text's first token has. GGUF leaves out those before it.
  private static int firstPosition(Keys keys) {
    boolean roberta = !keys.type().equals("bert") && !keys.isAbsent("model_type");
    return roberta ? keys.integer("pad_token_id", 1) + 1 : 0;
  }

  private static Activation activation(Keys keys) {
    String name = keys.text("hidden_act", "gelu");
    return switch (name) {
      case "gelu" -> Activation.GELU;
      case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
      case "relu" -> Activation.RELU;
      default ->
          throw new CheckpointException(
              "%s: \"hidden_act\" is \"%s\"; Gatun runs gelu, gelu_new and relu"
                  .formatted(keys.where(), name));
    };
  }

  private record Embedding(
      Tensor word, Tensor position, Tensor tokenType, LayerNorm norm, int firstPosition)
      implements EncoderStack.Embedding {
    /// x = layerNorm(word + type + position)
    @Override
    public Tensor forward(Functional f, TokenBatch batch) {
      var words = f.embedding(batch.ids(), word); // (T, D)
      var types = f.embedding(batch.types(), tokenType);
      var positions = f.embedding(batch.positions(firstPosition), position);
      return norm.forward(f, f.add(f.add(words, types), positions));
    }
  }

  /// One layer, normalized after each part.
  private record Layer(
      int heads,
      LinearWeight queryKeyValue,
      LinearWeight attentionOutput,
      LayerNorm attentionNorm,
      LinearWeight intermediate,
      Activation activation,
      LinearWeight output,
      LayerNorm outputNorm)
      implements EncoderStack.Layer {
    static Layer of(Weights w, EncoderHeads heads, int wide, Activation activation, float eps) {
      int d = heads.hiddenSize();
      var attention = w.at("attention");
      return new Layer(
          heads.count(),
          attention.linears(List.of("self.query", "self.key", "self.value"), d, d, true),
          attention.linear("output.dense", d, d),
          attention.layerNorm("output.LayerNorm", d, eps),
          w.linear("intermediate.dense", wide, d),
          activation,
          w.linear("output.dense", d, wide),
          w.layerNorm("output.LayerNorm", d, eps));
    }

    /// h = layerNorm(x + attention(x)); y = layerNorm(h + output(gelu(intermediate(h))))
    @Override
    public Tensor forward(Functional f, Tensor x, EncoderStack.Texts texts) {
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
                    texts.batch().starts(),
                    heads,
                    AttentionSpec.full((float) (1 / Math.sqrt((double) d / heads)))); // (T, D)
            var h = attentionNorm.forward(f, f.linear(seen, attentionOutput, Epilogue.add(x)));
            var wide = f.linear(h, intermediate, Epilogue.of(activation)); // (T, 4 D)
            return outputNorm.forward(f, f.linear(wide, output, Epilogue.add(h)));
          });
    }
  }
}
