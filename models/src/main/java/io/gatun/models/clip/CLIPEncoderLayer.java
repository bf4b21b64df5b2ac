package io.gatun.models.clip;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.QkvAttention;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// One layer of the text or the image encoder.
final class CLIPEncoderLayer {
  private final Activation activation;
  private final AttentionSpec spec;
  private final LayerNorm layerNorm1;
  private final QkvAttention selfAttn;
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
    this.activation = activation;
    this.spec = spec;
    layerNorm1 = weights.layerNorm("layer_norm1", d, eps);
    selfAttn = QkvAttention.of(weights.at("self_attn"), d, heads);
    layerNorm2 = weights.layerNorm("layer_norm2", d, eps);
    fc1 = weights.linear("mlp.fc1", intermediate, d);
    fc2 = weights.linear("mlp.fc2", d, intermediate);
  }

  /// h = x + attention(layerNorm(x)); h + fc2(activation(fc1(layerNorm(h))))
  Tensor forward(Functional f, Tensor x) {
    return Scoped.call(
        f,
        () -> {
          var h = selfAttn.forward(f, layerNorm1.forward(f, x), spec, x); // (B, S, D)
          var hidden =
              f.linear(layerNorm2.forward(f, h), fc1, Epilogue.of(activation)); // (B, S, 4 D)
          return f.linear(hidden, fc2, Epilogue.add(h));
        });
  }
}
