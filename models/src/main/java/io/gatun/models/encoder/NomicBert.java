package io.gatun.models.encoder;

import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Nomic's BERT (Nussbaum et al. 2024): rotary positions, SwiGLU, no biases.
final class NomicBert implements EncoderArchitecture {
  private static final Pattern HARMLESS =
      Pattern.compile(
          ".*pdrop|dense_seq_output|fused_(bias_fc|dropout_add_ln)|max_trained_positions"
              + "|pad_vocab_size_multiple|reorder_and_upcast_attn|summary_.*|use_xentropy");

  @Override
  public Set<String> types() {
    return Set.of("nomic_bert");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.ofEntries(
        Map.entry("embeddings.word_embeddings", "token_embd"),
        Map.entry("embeddings.token_type_embeddings", "token_types"),
        Map.entry("emb_ln", "token_embd_norm"),
        Map.entry("attn.Wqkv", "attn_qkv"),
        Map.entry("attn.out_proj", "attn_output"),
        Map.entry("norm1", "attn_output_norm"),
        Map.entry("mlp.fc11", "ffn_up"),
        Map.entry("mlp.fc12", "ffn_gate"),
        Map.entry("mlp.fc2", "ffn_down"),
        Map.entry("norm2", "layer_output_norm"));
  }

  /// Published files have GPT-2's names for sizes, those of transformers 5 BERT's.
  @Override
  public TextEncoder build(Keys keys, Weights weights) {
    boolean old = keys.json().has("n_embd");
    var heads =
        old
            ? EncoderHeads.of(keys, "n_embd", "n_head")
            : EncoderHeads.of(keys, "hidden_size", "num_attention_heads");
    int d = heads.hiddenSize();
    int wide = keys.count(old ? "n_inner" : "intermediate_size");
    float eps = (float) keys.number(old ? "layer_norm_epsilon" : "layer_norm_eps", 1e-12);
    keys.require("activation_function", "swiglu", "swiglu");
    keys.require("hidden_act", "silu", "silu");
    keys.require("rotary_emb_fraction", 1);
    keys.requireFlag("scale_attn_weights", true);
    double theta = keys.number("rotary_emb_base", 1000);
    var rope = heads.rope(RopeConfig.of(keys, "full_attention", theta));
    var embedding =
        new Embedding(
            weights.tensor("embeddings.word_embeddings.weight", keys.count("vocab_size"), d),
            weights.tensor(
                "embeddings.token_type_embeddings.weight", keys.count("type_vocab_size", 2), d),
            weights.layerNorm("emb_ln", d, eps));
    var layers =
        IntStream.range(0, keys.count(old ? "n_layer" : "num_hidden_layers"))
            .mapToObj(i -> weights.at("encoder.layers", i))
            .map(w -> Layer.of(w, heads, wide, rope, eps))
            .toList();
    int positions = keys.count(old ? "n_positions" : "max_position_embeddings");
    keys.requireAllRead(HARMLESS);
    return new EncoderStack(d, positions, embedding, List.of(rope), layers, null);
  }

  private record Embedding(Tensor word, Tensor tokenType, LayerNorm norm)
      implements EncoderStack.Embedding {
    /// x = layerNorm(word + type)
    @Override
    public Tensor forward(Functional f, TokenBatch batch) {
      var words = f.embedding(batch.ids(), word); // (T, D)
      return norm.forward(f, f.add(words, f.embedding(batch.types(), tokenType)));
    }
  }

  /// One layer, normalized after each part.
  private record Layer(
      RotaryAttention attention,
      LinearWeight outProj,
      LayerNorm norm1,
      LinearWeight fc11,
      LinearWeight fc12,
      LinearWeight fc2,
      LayerNorm norm2)
      implements EncoderStack.Layer {
    static Layer of(Weights w, EncoderHeads heads, int wide, RotaryEmbedding rope, float eps) {
      int d = heads.hiddenSize();
      var spec = AttentionSpec.of(d / heads.count()).inBothDirections();
      return new Layer(
          RotaryAttention.of(w, d, heads.count(), rope, spec),
          w.linearWithoutBias("attn.out_proj", d, d),
          w.layerNorm("norm1", d, eps),
          w.linearWithoutBias("mlp.fc11", wide, d),
          w.linearWithoutBias("mlp.fc12", wide, d),
          w.linearWithoutBias("mlp.fc2", d, wide),
          w.layerNorm("norm2", d, eps));
    }

    /// h = layerNorm(x + attention(x)); y = layerNorm(h + fc2(fc11(h) * silu(fc12(h))))
    @Override
    public Tensor forward(Functional f, Tensor x, EncoderStack.Texts texts) {
      return Scoped.call(
          f,
          () -> {
            var seen = attention.forward(f, x, texts); // (T, D)
            var h = norm1.forward(f, f.linear(seen, outProj, Epilogue.add(x)));
            return norm2.forward(f, f.linear(gated(f, h), fc2, Epilogue.add(h)));
          });
    }

    private Tensor gated(Functional f, Tensor h) {
      var up = f32(f, f.linear(h, fc11)); // (T, F)
      var gate = f32(f, f.linear(h, fc12));
      f.ops().siluMulInPlace(gate, up);
      return f.dtype() == DType.Plain.F32 ? gate : f.cast(gate);
    }

    private static Tensor f32(Functional f, Tensor x) {
      return x.dtype() == DType.Plain.F32 ? x : f.toF32(x);
    }
  }
}
