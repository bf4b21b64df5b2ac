package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.Mlp;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// StarCoder2 (arXiv 2402.19173): LayerNorm, biases everywhere, a feed-forward layer without gate.
final class Starcoder2 implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("starcoder2");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of("mlp.c_fc", "ffn_up", "mlp.c_proj", "ffn_down");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "gelu_pytorch_tanh", "gelu_pytorch_tanh");
    // The tensors show whether there are biases.
    keys.isAbsent("use_bias");
    int window = keys.countOrNone("sliding_window");
    var c = Config.of(keys, Config.Defaults.of(1e-5, 1e4)).withSlidingWindow(window);
    int[] windows = keys.windows(c.numHiddenLayers(), window, i -> window > 0);
    var rope = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), false);
    var spec = AttentionSpec.of(c.headDim());
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> layer(w.layer(i), c, rope, spec.window(windows[i])),
        w.layerNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  private static DecoderLayer layer(
      DecoderWeights w, Config c, RotaryEmbedding rope, AttentionSpec spec) {
    int d = c.hiddenSize();
    int f = c.intermediateSize();
    return DecoderLayer.preNorm(
        w.layerNorm("input_layernorm", d, c.normEps()),
        Llama.attention(w, c, rope, spec),
        w.layerNorm("post_attention_layernorm", d, c.normEps()),
        new Mlp(w.linear("mlp.c_fc", f, d), w.linear("mlp.c_proj", d, f), Activation.GELU_TANH));
  }
}
