package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.GatedMlp;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// GLM-4-0414: norms before and after each half of a layer; half of each head turns, by neighbours.
final class Glm4 implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("glm4");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of(
        "post_self_attn_layernorm", "post_attention_norm",
        "post_mlp_layernorm", "post_ffw_norm",
        "mlp.gate_up_proj", "ffn_up");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    var c = Config.of(keys, Config.Defaults.of(1.5625e-7, 1e4));
    var rope = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), true);
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> layer(w.layer(i), c, rope),
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  private static DecoderLayer layer(DecoderWeights w, Config c, RotaryEmbedding rope) {
    int d = c.hiddenSize();
    int f = c.intermediateSize();
    float eps = c.normEps();
    var gateUp = w.fused("mlp.gate_up_proj", d, f, f);
    return new DecoderLayer.Sequential(
        w.rmsNorm("input_layernorm", d, eps),
        Llama.attention(w, c, rope, AttentionSpec.of(c.headDim())),
        w.rmsNorm("post_self_attn_layernorm", d, eps),
        w.rmsNorm("post_attention_layernorm", d, eps),
        new GatedMlp(gateUp[0], gateUp[1], w.linear("mlp.down_proj", d, f), Activation.SILU),
        w.rmsNorm("post_mlp_layernorm", d, eps));
  }
}
