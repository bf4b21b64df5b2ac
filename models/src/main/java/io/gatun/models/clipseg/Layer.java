package io.gatun.models.clipseg;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.QkvAttention;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// A layer of the decoder, where norms come after.
record Layer(
    Activation activation,
    LayerNorm layerNorm1,
    QkvAttention selfAttn,
    AttentionSpec spec,
    LayerNorm layerNorm2,
    LinearWeight fc1,
    LinearWeight fc2) {
  static Layer of(
      Weights w, long d, long intermediate, int heads, Activation activation, float eps) {
    return new Layer(
        activation,
        w.layerNorm("layer_norm1", d, eps),
        QkvAttention.of(w.at("self_attn"), d, heads),
        AttentionSpec.full((float) (1 / Math.sqrt((double) d / heads))),
        w.layerNorm("layer_norm2", d, eps),
        w.linear("mlp.fc1", intermediate, d),
        w.linear("mlp.fc2", d, intermediate));
  }

  /// h = norm1(x + attention(x)); norm2(h + mlp(h)), all (B, S, D)
  Tensor forward(Functional f, Tensor x) {
    var h = layerNorm1.forward(f, selfAttn.forward(f, x, spec, x));
    var hidden = f.linear(h, fc1, Epilogue.of(activation));
    return layerNorm2.forward(f, f.linear(hidden, fc2, Epilogue.add(h)));
  }
}
