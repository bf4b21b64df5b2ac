package io.gatun.models.sam.modeling;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.List;

/// The mask decoder's transformer, in which a few tokens and an image look at each other.
public final class TwoWayTransformer {
  /// PyTorch's default, which both reference implementations use here.
  private static final float NORM_FINAL_ATTN_EPS = 1e-5f;

  private final List<TwoWayAttentionBlock> layers = new ArrayList<>();
  private final ImageProjection finalKv;
  private final Attention finalAttnTokenToImage;
  private final LayerNorm normFinalAttn;

  /// The image as prompts find it.
  ///
  /// @param keys its tokens: (B, S, C), or (1, S, C) for all prompts
  /// @param projected what they are to the first block
  public record Image(Tensor keys, Tensor projected) {}

  /// What prompts and image have learnt of each other.
  ///
  /// @param tokens (B, T, C)
  /// @param image (B, S, C)
  record Output(Tensor tokens, Tensor image) {}

  /// @param pe the positions of the image's tokens (S, C) F32
  TwoWayTransformer(Weights weights, SamConfig config, Functional f, Tensor pe) {
    for (int i = 0; i < config.decoderDepth(); i++) {
      layers.add(new TwoWayAttentionBlock(weights.at("layers", i), config, f, pe, i == 0));
    }
    long c = config.outChans();
    long internal = config.decoderInternalDim();
    var last = weights.at("final_attn_token_to_image");
    finalKv =
        new ImageProjection(
            f,
            pe,
            internal,
            new ImageProjection.Part(last.at("k_proj"), true),
            new ImageProjection.Part(last.at("v_proj"), false));
    finalAttnTokenToImage =
        Attention.tokenToImage(last, c, internal, config.decoderHeads(), finalKv);
    normFinalAttn = weights.layerNorm("norm_final_attn", c, NORM_FINAL_ATTN_EPS);
  }

  /// Prepares an image (B, S, C), or (1, S, C) for all prompts about it.
  Image image(Functional f, Tensor keys) {
    return new Image(keys, layers.getFirst().project(f, keys));
  }

  /// q, keys = block(q, keys) for each block; norm(q + attention(q + pe, keys)), keys
  ///
  /// @param tokens (B, T, C)
  Output forward(Functional f, Tensor tokens, Image image) {
    var queries = tokens;
    var keys = image.keys;
    var projected = image.projected;
    for (int i = 0; i < layers.size(); i++) {
      var layer = layers.get(i);
      projected = i == 0 ? projected : layer.project(f, keys);
      queries = layer.tokens(f, queries, tokens, projected);
      keys = layer.image(f, queries, tokens, keys, projected);
    }
    projected = finalKv.forward(f, keys);
    queries =
        finalAttnTokenToImage.forward(
            f, f.add(queries, tokens), projected, projected, Epilogue.add(queries));
    return new Output(normFinalAttn.forward(f, queries), keys);
  }
}
