package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Set;

/// Hugging Face's SmolLM3: Llama's block, but every fourth layer knows no positions (Yang et al.
/// 2025, "Rope to Nope and Back Again").
final class SmolLM3 implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("smollm3");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    keys.requireFlag("use_sliding_window", false);
    var c = Config.of(keys, Config.Defaults.of(1e-6, 2e6));
    int n = c.numHiddenLayers();
    keys.windows(n, keys.countOrNone("sliding_window"), i -> false);
    int dim = c.rope().dim(c.headDim());
    var rope = new RotaryEmbedding(c.rope(), dim, w.turnsNeighbours());
    int interval = keys.count("no_rope_layer_interval", 4);
    float[] turns = keys.isAbsent("no_rope_layers") ? null : keys.numbers("no_rope_layers", n);
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> {
          boolean turned = turns == null ? (i + 1) % interval != 0 : turns[i] != 0;
          var layer = w.layer(i);
          return Llama.layer(
              layer,
              c,
              turned ? rope : null,
              AttentionSpec.of(c.headDim()),
              layer.at("mlp").gatedMlp(c.intermediateSize(), c.hiddenSize(), Activation.SILU));
        },
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }
}
