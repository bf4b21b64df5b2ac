package io.gatun.models.sam.modeling;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// A block of the two-way transformer: the prompt's tokens look at themselves and at the image,
/// then the image looks at the tokens.
final class TwoWayAttentionBlock {
  private final boolean skipFirstLayerPe;
  private final boolean efficient; // EfficientSAM's
  private final Activation activation;
  private final Attention selfAttn;
  private final Attention crossAttnTokenToImage;
  private final LinearWeight lin1;
  private final LinearWeight lin2;
  private final Attention crossAttnImageToToken;
  // Of the image: k and v for the tokens to look at, q to look at the tokens.
  private final ImageProjection imageKvq;
  private final LayerNorm norm1;
  private final LayerNorm norm2;
  private final LayerNorm norm3;
  private final LayerNorm norm4;

  /// @param pe the positions of the image's tokens (S, C) F32
  /// @param first whether it is the first block, whose tokens come without their positions
  TwoWayAttentionBlock(Weights weights, SamConfig config, Functional f, Tensor pe, boolean first) {
    skipFirstLayerPe = first;
    efficient = config.kind() == SamConfig.Kind.EFFICIENT;
    activation = config.decoderActivation();
    long c = config.outChans();
    long internal = config.decoderInternalDim();
    int heads = config.decoderHeads();
    float eps = config.decoderLayerNormEps();
    var toImage = weights.at("cross_attn_token_to_image");
    var toToken = weights.at("cross_attn_image_to_token");
    lin1 = weights.linear("mlp.lin1", config.decoderMlpDim(), c);
    lin2 = weights.linear("mlp.lin2", c, config.decoderMlpDim());
    imageKvq =
        new ImageProjection(
            f,
            pe,
            internal,
            new ImageProjection.Part(toImage.at("k_proj"), true),
            new ImageProjection.Part(toImage.at("v_proj"), false),
            new ImageProjection.Part(toToken.at("q_proj"), true));
    selfAttn = Attention.ofTokens(weights.at("self_attn"), c, heads);
    crossAttnTokenToImage = Attention.tokenToImage(toImage, c, internal, heads, imageKvq);
    crossAttnImageToToken = Attention.imageToToken(toToken, c, internal, heads, imageKvq);
    norm1 = weights.layerNorm("norm1", c, eps);
    norm2 = weights.layerNorm("norm2", c, eps);
    norm3 = weights.layerNorm("norm3", c, eps);
    norm4 = weights.layerNorm("norm4", c, eps);
  }

  /// What the image's tokens (B, S, C) are to this block's attention; B is 1 for all prompts.
  Tensor project(Functional f, Tensor keys) {
    return imageKvq.forward(f, keys);
  }

  /// The tokens (B, T, C) after the block's first three layers.
  ///
  ///     q = norm1(q + selfAttention(q + pe))
  ///     q = norm2(q + attention(q + pe, image))
  ///     q = norm3(q + activation(q W1) W2)
  ///
  /// @param queryPe the tokens as they were before the first block, as their positions (B, T, C)
  /// @param projected what [#project] gave
  Tensor tokens(Functional f, Tensor queries, Tensor queryPe, Tensor projected) {
    var q = norm1.forward(f, selfAttention(f, queries, queryPe));
    q = crossAttnTokenToImage.forward(f, f.add(q, queryPe), projected, projected, Epilogue.add(q));
    q = norm2.forward(f, q);
    var hidden = f.linear(q, lin1, Epilogue.of(activation));
    return norm3.forward(f, f.linear(hidden, lin2, Epilogue.add(q)));
  }

  /// In EfficientSAM the tokens keep their positions, and pass by the first block's attention too.
  private Tensor selfAttention(Functional f, Tensor queries, Tensor queryPe) {
    var q = skipFirstLayerPe ? queries : f.add(queries, queryPe);
    if (efficient) {
      return selfAttn.forward(f, q, q, q, Epilogue.add(q));
    }
    return selfAttn.forward(
        f, q, q, queries, skipFirstLayerPe ? Epilogue.NONE : Epilogue.add(queries));
  }

  /// The image's tokens (B, S, C) after the block's last layer: norm4(keys + attention(keys + pe,
  /// q)).
  ///
  /// @param queries what [#tokens] gave
  /// @param keys the image's tokens before the block: (B, S, C), or (1, S, C) for all prompts
  Tensor image(Functional f, Tensor queries, Tensor queryPe, Tensor keys, Tensor projected) {
    boolean shared = keys.dim(0) < queries.dim(0);
    var y =
        crossAttnImageToToken.forward(
            f,
            projected,
            f.add(queries, queryPe),
            queries,
            shared ? Epilogue.NONE : Epilogue.add(keys));
    return norm4.forward(f, shared ? f.add(y, keys.get(0)) : y);
  }
}
