package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Set;

/// Command R7B and A (arXiv 2504.00698): both halves of a layer side by side, local layers with
/// positions, every fourth global and without.
final class Cohere2 implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("cohere2");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    int window = keys.count("sliding_window", 4096);
    var c = Config.of(keys, Config.Defaults.of(1e-5, 1e4)).withSlidingWindow(window);
    int pattern = keys.count("sliding_window_pattern", 4);
    int[] windows = keys.windows(c.numHiddenLayers(), window, i -> (i + 1) % pattern != 0);
    var rope = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), true);
    var spec = AttentionSpec.of(c.headDim());
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> layer(w.layer(i), c, windows[i] > 0 ? rope : null, spec.window(windows[i])),
        w.layerNorm("model.norm", c.hiddenSize(), c.normEps()),
        new Decoder.Output((float) keys.number("logit_scale", 0.0625), 0));
  }

  private static DecoderLayer layer(
      DecoderWeights w, Config c, RotaryEmbedding rope, AttentionSpec spec) {
    int d = c.hiddenSize();
    return new DecoderLayer.Parallel(
        w.layerNorm("input_layernorm", d, c.normEps()),
        Llama.attention(w, c, rope, spec),
        w.at("mlp").gatedMlp(c.intermediateSize(), d, Activation.SILU));
  }
}
