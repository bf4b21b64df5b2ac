package io.gatun.models.clipseg;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// A layer of the decoder, where norms come after.
record Layer(
    int heads,
    Activation activation,
    LayerNorm layerNorm1,
    LinearWeight qkvProj,
    LinearWeight outProj,
    LayerNorm layerNorm2,
    LinearWeight fc1,
    LinearWeight fc2) {
  static Layer of(
      Weights w, long d, long intermediate, int heads, Activation activation, float eps) {
    var attention = w.at("self_attn");
    return new Layer(
        heads,
        activation,
        w.layerNorm("layer_norm1", d, eps),
        attention.linears(List.of("q_proj", "k_proj", "v_proj"), d, d, true),
        attention.linear("out_proj", d, d),
        w.layerNorm("layer_norm2", d, eps),
        w.linear("mlp.fc1", intermediate, d),
        w.linear("mlp.fc2", d, intermediate));
  }

  /// h = norm1(x + attention(x)); norm2(h + mlp(h)), all (B, S, D)
  Tensor forward(Functional f, Tensor x) {
    var h = layerNorm1.forward(f, attention(f, x));
    var hidden = f.linear(h, fc1, Epilogue.of(activation));
    return layerNorm2.forward(f, f.linear(hidden, fc2, Epilogue.add(h)));
  }

  private Tensor attention(Functional f, Tensor x) {
    long d = x.dim(2);
    var qkv = f.linear(x, qkvProj); // (B, S, 3 D)
    var y =
        f.attention(
            qkv.slice(2, 0, d),
            qkv.slice(2, d, 2 * d),
            qkv.slice(2, 2 * d, 3 * d),
            heads,
            AttentionSpec.full((float) (1 / Math.sqrt((double) d / heads))));
    return f.linear(y, outProj, Epilogue.add(x));
  }
}
