package io.gatun.models.encoder;

import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// ModernBERT (Warner et al. 2024): rotary positions, GeGLU, norms before each part; one layer of
/// some sees the whole text, the others near tokens only.
final class ModernBert implements EncoderArchitecture {
  private static final Pattern HARMLESS =
      Pattern.compile(
          "classifier_.*|decoder_bias|deterministic_flash_attn|layer_norm_eps|sparse_.*"
              + "|reference_compile|repad_logits_with_grad|position_embedding_type");

  @Override
  public Set<String> types() {
    return Set.of("modernbert", "modern_bert");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.ofEntries(
        Map.entry("embeddings.tok_embeddings", "token_embd"),
        Map.entry("embeddings.norm", "token_embd_norm"),
        Map.entry("attn_norm", "attn_norm"),
        Map.entry("attn.Wqkv", "attn_qkv"),
        Map.entry("attn.Wo", "attn_output"),
        Map.entry("mlp_norm", "ffn_norm"),
        Map.entry("mlp.Wi", "ffn_up"),
        Map.entry("mlp.Wo", "ffn_down"),
        Map.entry("final_norm", "output_norm"));
  }

  @Override
  public TextEncoder build(Keys keys, Weights weights) {
    keys.require("hidden_activation", "gelu", "gelu");
    var heads = EncoderHeads.of(keys, "hidden_size", "num_attention_heads");
    int d = heads.hiddenSize();
    int wide = keys.count("intermediate_size");
    float eps = (float) keys.number(keys.isGguf() ? "layer_norm_eps" : "norm_eps", 1e-5);
    double theta = keys.number("global_rope_theta", 160_000);
    var global = heads.rope(RopeConfig.of(keys, "full_attention", theta));
    var local = heads.rope(localRope(keys));
    int window = keys.count(keys.isGguf() ? "sliding_window" : "local_attention", 128);
    int[] windows = windows(keys, window);
    var tokEmbeddings =
        weights.tensor("embeddings.tok_embeddings.weight", keys.count("vocab_size"), d);
    var norm = norm(weights, "embeddings.norm", d, eps);
    var layers =
        IntStream.range(0, windows.length)
            .mapToObj(
                i -> {
                  boolean isGlobal = windows[i] == 0;
                  var all = AttentionSpec.of(d / heads.count()).inBothDirections();
                  var spec = isGlobal ? all : all.window(window / 2 + 1);
                  var w = weights.at("layers", i);
                  var attention =
                      RotaryAttention.of(w, d, heads.count(), isGlobal ? global : local, spec);
                  return Layer.of(w, attention, i, d, wide, eps);
                })
            .toList();
    int positions = keys.count("max_position_embeddings");
    var finalNorm = norm(weights, "final_norm", d, eps);
    keys.requireAllRead(HARMLESS);
    return new EncoderStack(
        d,
        positions,
        (f, batch) -> norm.forward(f, f.embedding(batch.ids(), tokEmbeddings)), // (T, D)
        List.of(global, local),
        layers,
        finalNorm);
  }

  private static RopeConfig localRope(Keys keys) {
    double theta = keys.number("local_rope_theta", keys.number("rope_local_base_freq", 10_000));
    return RopeConfig.hasOwn(keys, "sliding_attention")
        ? RopeConfig.of(keys, "sliding_attention", theta)
        : RopeConfig.of(theta);
  }

  /// How many tokens each layer sees, 0 for all. GGUF has a list for the layers, or says which.
  private static int[] windows(Keys keys, int window) {
    boolean listed = keys.json().path("sliding_window_pattern").isArray();
    int every =
        keys.isGguf()
            ? listed ? 1 : keys.count("sliding_window_pattern", 3)
            : keys.count("global_attn_every_n_layers", 3);
    return keys.windows(keys.count("num_hidden_layers"), window, i -> i % every != 0);
  }

  private static LayerNorm norm(Weights weights, String name, long d, float eps) {
    var noBias = Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, d);
    return new LayerNorm(weights.tensor(name + ".weight", d), noBias, eps);
  }

  /// One layer, normalized before each part.
  ///
  /// @param attnNorm null for the first: what comes from the embedding is normalized already
  private record Layer(
      LayerNorm attnNorm,
      RotaryAttention attention,
      LinearWeight attnOut,
      LayerNorm mlpNorm,
      LinearWeight wi,
      LinearWeight mlpOut)
      implements EncoderStack.Layer {
    static Layer of(Weights w, RotaryAttention attention, int index, int d, long wide, float eps) {
      // The file has what goes through gelu first; the product wants it last.
      var halves = w.tensor("mlp.Wi.weight", 2 * wide, d);
      return new Layer(
          index == 0 ? null : norm(w, "attn_norm", d, eps),
          attention,
          w.linearWithoutBias("attn.Wo", d, d),
          norm(w, "mlp_norm", d, eps),
          LinearWeight.concat(
              List.of(
                  LinearWeight.of(halves.slice(0, wide, 2 * wide), null),
                  LinearWeight.of(halves.slice(0, 0, wide), null))),
          w.linearWithoutBias("mlp.Wo", d, wide));
    }

    /// h = x + attention(layerNorm(x)); y = h + Wo(gelu(a) * b), a and b being Wi(layerNorm(h))
    @Override
    public Tensor forward(Functional f, Tensor x, EncoderStack.Texts texts) {
      return Scoped.call(
          f,
          () -> {
            var in = attnNorm == null ? x : attnNorm.forward(f, x);
            var seen = attention.forward(f, in, texts); // (T, D)
            var h = f.linear(seen, attnOut, Epilogue.add(x));
            var gated = f.linearGeglu(mlpNorm.forward(f, h), wi); // (T, F)
            return f.linear(gated, mlpOut, Epilogue.add(h));
          });
    }
  }
}
