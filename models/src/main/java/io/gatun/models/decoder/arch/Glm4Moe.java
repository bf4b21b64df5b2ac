package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.DeepSeekMoe;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.Router;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// GLM-4.5 and 4.6 (arXiv 2508.06471): Llama's block, half of each head turned, with DeepSeek's
/// experts.
final class Glm4Moe implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("glm4_moe", "glm4moe");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of("post_attention_layernorm", "post_attention_norm");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    // The tensors show whether queries and keys are normed.
    keys.isAbsent("use_qk_norm");
    var c = Config.of(keys, Config.Defaults.of(1e-5, 1e4));
    var rope = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), false);
    var experts = DeepSeekMoe.of(keys, c, Router.Scoring.SIGMOID, true);
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> {
          var layer = w.layer(i);
          return Llama.layer(
              layer, c, rope, AttentionSpec.of(c.headDim()), experts.layer(layer.at("mlp")));
        },
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }
}
