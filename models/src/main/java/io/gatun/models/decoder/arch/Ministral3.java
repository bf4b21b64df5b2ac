package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.decoder.RopeScaling;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Set;

/// Ministral 3 (arXiv 2601.08584): Llama's block with YaRN, whose queries grow with their position
/// behind the length it was first trained on.
final class Ministral3 implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("ministral3", "mistral3");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    int window = keys.countOrNone("sliding_window");
    var c = Config.of(keys, Config.Defaults.of(1e-5, 1e6)).withSlidingWindow(window);
    int[] windows = keys.windows(c.numHiddenLayers(), window, i -> window > 0);
    int dim = c.rope().dim(c.headDim());
    var rope = new RotaryEmbedding(c.rope(), dim, w.turnsNeighbours());
    double beta =
        keys.isGguf()
            ? keys.number("llama_4_scaling_beta", 0)
            : RopeConfig.section(keys).number("llama_4_scaling_beta", 0);
    var scaled =
        beta != 0 && c.rope().scaling() instanceof RopeScaling.Yarn yarn
            ? rope.scalingQueries(p -> 1 + beta * Math.log(1 + Math.floorDiv(p, yarn.original())))
            : rope;
    var spec = AttentionSpec.of(c.headDim());
    return new Decoder(
        c,
        w,
        1,
        List.of(scaled),
        i -> {
          var layer = w.layer(i);
          var mlp = layer.at("mlp").gatedMlp(c.intermediateSize(), c.hiddenSize(), Activation.SILU);
          return Llama.layer(layer, c, scaled, spec.window(windows[i]), mlp);
        },
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }
}
