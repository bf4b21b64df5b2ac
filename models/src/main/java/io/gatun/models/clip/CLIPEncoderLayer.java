package io.gatun.models.clip;

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

/// One layer of the text encoder.
final class CLIPEncoderLayer {
  private final int heads;
  private final Activation activation;
  private final LayerNorm layerNorm1;
  private final LinearWeight qkvProj;
  private final LinearWeight outProj;
  private final LayerNorm layerNorm2;
  private final LinearWeight fc1;
  private final LinearWeight fc2;

  CLIPEncoderLayer(CLIPTextConfig config, Weights weights) {
    long d = config.hiddenSize();
    heads = config.numAttentionHeads();
    activation = config.hiddenAct();
    layerNorm1 = weights.layerNorm("layer_norm1", d, config.layerNormEps());
    var attention = weights.at("self_attn");
    qkvProj = attention.linears(List.of("q_proj", "k_proj", "v_proj"), d, d, true);
    outProj = attention.linear("out_proj", d, d);
    layerNorm2 = weights.layerNorm("layer_norm2", d, config.layerNormEps());
    fc1 = weights.linear("mlp.fc1", config.intermediateSize(), d);
    fc2 = weights.linear("mlp.fc2", d, config.intermediateSize());
  }

  /// h = x + attention(layerNorm(x)); h + fc2(activation(fc1(layerNorm(h))))
  Tensor forward(Functional f, Tensor x) {
    return Scoped.call(
        f,
        () -> {
          var h = attention(f, layerNorm1.forward(f, x), x); // (B, S, D)
          var hidden =
              f.linear(layerNorm2.forward(f, h), fc1, Epilogue.of(activation)); // (B, S, 4 D)
          return f.linear(hidden, fc2, Epilogue.add(h));
        });
  }

  private Tensor attention(Functional f, Tensor x, Tensor residual) {
    long d = x.dim(2);
    var qkv = f.linear(x, qkvProj); // (B, S, 3 D)
    var y =
        f.attention(
            qkv.slice(2, 0, d),
            qkv.slice(2, d, 2 * d),
            qkv.slice(2, 2 * d, 3 * d),
            heads,
            AttentionSpec.of((int) d / heads));
    return f.linear(y, outProj, Epilogue.add(residual));
  }
}
