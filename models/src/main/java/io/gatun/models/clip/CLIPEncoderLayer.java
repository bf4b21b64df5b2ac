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

/// One layer of the text or the image encoder.
final class CLIPEncoderLayer {
  private final int heads;
  private final Activation activation;
  private final AttentionSpec spec;
  private final LayerNorm layerNorm1;
  private final LinearWeight qkvProj;
  private final LinearWeight outProj;
  private final LayerNorm layerNorm2;
  private final LinearWeight fc1;
  private final LinearWeight fc2;

  CLIPEncoderLayer(
      long d,
      long intermediate,
      int heads,
      Activation activation,
      float eps,
      AttentionSpec spec,
      Weights weights) {
    this.heads = heads;
    this.activation = activation;
    this.spec = spec;
    layerNorm1 = weights.layerNorm("layer_norm1", d, eps);
    var attention = weights.at("self_attn");
    qkvProj = attention.linears(List.of("q_proj", "k_proj", "v_proj"), d, d, true);
    outProj = attention.linear("out_proj", d, d);
    layerNorm2 = weights.layerNorm("layer_norm2", d, eps);
    fc1 = weights.linear("mlp.fc1", intermediate, d);
    fc2 = weights.linear("mlp.fc2", d, intermediate);
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
            qkv.slice(2, 0, d), qkv.slice(2, d, 2 * d), qkv.slice(2, 2 * d, 3 * d), heads, spec);
    return f.linear(y, outProj, Epilogue.add(residual));
  }
}
