package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.DenseAndExperts;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.Norm;
import io.gatun.models.decoder.PerLayerEmbeddings;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Gemma 4: Gemma 3's norms and local layers; global layers with heads of another size; embeddings
/// for each layer; the last layers read the keys and values of earlier ones; experts beside the
/// dense layer.
final class Gemma4 implements Architecture {
  private static final Activation GELU = Activation.GELU_TANH;

  @Override
  public Set<String> types() {
    return Set.of("gemma4", "gemma4_text");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.ofEntries(
        Map.entry("post_attention_layernorm", "post_attention_norm"),
        Map.entry("pre_feedforward_layernorm", "ffn_norm"),
        Map.entry("pre_feedforward_layernorm_2", "pre_ffw_norm_2"),
        Map.entry("post_feedforward_layernorm", "post_ffw_norm"),
        Map.entry("post_feedforward_layernorm_1", "post_ffw_norm_1"),
        Map.entry("post_feedforward_layernorm_2", "post_ffw_norm_2"),
        Map.entry("router.proj", "ffn_gate_inp"),
        Map.entry("router.scale", "ffn_gate_inp.scale"),
        Map.entry("router.per_expert_scale", "ffn_down_exps.scale"),
        Map.entry("experts.gate_up_proj", "ffn_gate_up_exps.weight"),
        Map.entry("experts.down_proj", "ffn_down_exps.weight"),
        Map.entry("per_layer_input_gate", "inp_gate"),
        Map.entry("per_layer_projection", "proj"),
        Map.entry("post_per_layer_input_norm", "post_norm"),
        Map.entry("layer_scalar", "layer_output_scale.weight"));
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    var sizes = Gemma4Sizes.of(keys);
    var c = sizes.config();
    var global = new RotaryEmbedding(c.rope(), sizes.dim(false), false);
    var turned = global.divided(w.ropeDivisors("rope_freqs", sizes.dim(false)));
    var local = new RotaryEmbedding(Gemma.localRope(keys), sizes.dim(true), false);
    int p = keys.countOrNone("hidden_size_per_layer_input");
    int vocabulary = keys.count("vocab_size_per_layer_input", c.vocabSize());
    var embeddings = p == 0 ? null : PerLayerEmbeddings.of(w, c, p, vocabulary);
    return new Decoder(
        c,
        w,
        (float) Math.sqrt(c.hiddenSize()),
        List.of(turned, local),
        i -> layer(w.layer(i), sizes, i, sizes.windows()[i] > 0 ? local : turned, embeddings),
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        new Decoder.Output(1, (float) keys.number("final_logit_softcapping", 0)));
  }

  private static DecoderLayer layer(
      DecoderWeights w, Gemma4Sizes sizes, int i, RotaryEmbedding rope, PerLayerEmbeddings e) {
    var c = sizes.config();
    int d = c.hiddenSize();
    float eps = c.normEps();
    var norm = w.rmsNorm("pre_feedforward_layernorm", d, eps);
    var mlp = w.at("mlp").gatedMlp(sizes.widths().get(i), d, GELU);
    boolean moe = c.numLocalExperts() > 0;
    var layer =
        new DecoderLayer.Sequential(
            w.rmsNorm("input_layernorm", d, eps),
            attention(w.at("self_attn"), sizes, i, rope),
            w.rmsNorm("post_attention_layernorm", d, eps),
            moe ? Norm.none() : norm,
            moe
                ? DenseAndExperts.of(w, c, norm, mlp, sizes.expertsPerToken(), sizes.expertWidth())
                : mlp,
            w.rmsNorm("post_feedforward_layernorm", d, eps));
    return PerLayerEmbeddings.Layer.of(layer, w, i, c, e);
  }

  private static SelfAttention attention(
      DecoderWeights w, Gemma4Sizes sizes, int i, RotaryEmbedding rope) {
    var heads = sizes.heads().get(i);
    var c = sizes.config();
    int d = c.hiddenSize();
    int q = heads.query() * heads.dim();
    int kv = heads.keyValue() * heads.dim();
    int source = sizes.source(i);
    boolean own = source < 0;
    if (!own) { // published files have them all the same
      w.leave("k_proj.weight", "v_proj.weight", "k_norm.weight");
    }
    boolean values = own && (w.has("v_proj.weight") || !sizes.valuesAreKeys(i));
    return new SelfAttention(
        heads,
        new SelfAttention.Projections(
            w.linear("q_proj", q, d),
            own ? w.linear("k_proj", kv, d) : null,
            values ? w.linear("v_proj", kv, d) : null,
            w.linear("o_proj", d, q)),
        w.rmsNorm("q_norm", heads.dim(), c.normEps()),
        own ? w.rmsNorm("k_norm", heads.dim(), c.normEps()) : Norm.none(),
        w.unweightedRmsNorm(heads.dim(), c.normEps()),
        rope,
        new AttentionSpec(1, sizes.windows()[i]),
        source);
  }
}
