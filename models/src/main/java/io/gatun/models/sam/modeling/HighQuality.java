package io.gatun.models.sam.modeling;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.config.ViTConfig;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;

/// What SAM-HQ adds to the mask decoder: one more token, and a mask of it that is read from finer
/// features, which corrects the others.
///
/// Source: Ke et al., "Segment Anything in High Quality", arXiv 2306.01567, and its code, `sam-hq`,
/// whose names this class has.
final class HighQuality {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;

  private final float[] hfToken;
  private final Mlp hfMlp;
  private final Upscaling4x4 compressVitFeat;
  private final Upscaling4x4 embeddingEncoder;
  private final ConvWeight embeddingMaskfeature0;
  private final LayerNorm embeddingMaskfeature1;
  private final ConvWeight embeddingMaskfeature3;

  /// @param weights the mask decoder's
  HighQuality(Weights weights, SamConfig config, ViTConfig encoder) {
    long c = config.outChans();
    hfToken = weights.tensor("hf_token.weight", 1, c).toFloats();
    hfMlp = new Mlp(weights.at("hf_mlp"), c, c, c / 8);
    compressVitFeat =
        Upscaling4x4.withLayerNorm(weights.at("compress_vit_feat"), encoder.embedDim(), c, c / 8);
    embeddingEncoder = Upscaling4x4.withLayerNorm(weights.at("embedding_encoder"), c, c / 4, c / 8);
    var mask = weights.at("embedding_maskfeature");
    var padding = ConvWeight.Padding.of(1);
    embeddingMaskfeature0 = mask.conv("0", c / 4, c / 8, 3, 1, padding);
    embeddingMaskfeature1 = mask.layerNorm("1", c / 4, LAYER_NORM_2D_EPS);
    embeddingMaskfeature3 = mask.conv("3", c / 8, c / 4, 3, 1, padding);
  }

  float[] token() {
    return hfToken;
  }

  /// What masks of an image are corrected by: (1, 4 G, 4 G, C / 8).
  ///
  /// @param early the encoder's tokens after its first global block (1, G, G, D)
  /// @param embedding (1, G, G, C)
  Tensor features(Functional f, Tensor early, Tensor embedding) {
    return f.add(
        inRows(f, compressVitFeat.forward(f, tokens(early), Epilogue.NONE), early.dim(1)),
        inRows(f, embeddingEncoder.forward(f, tokens(embedding), Epilogue.NONE), embedding.dim(1)));
  }

  private static Tensor tokens(Tensor x) {
    return x.reshape(1, x.dim(1) * x.dim(2), x.dim(3));
  }

  /// The token's masks: (B, 1, 4 G, 4 G) F32.
  ///
  ///     mlp(token) (convolutions(upscaled) + features)^T
  ///
  /// @param f32 computes in F32
  /// @param token what became of the token (B, 1, C) F32
  /// @param upscaled the mask decoder's image (B, G * G * 4 * 4, C / 8)
  /// @param features of the image, see [#features]
  Tensor masks(Functional f, Functional f32, Tensor token, Tensor upscaled, Tensor features) {
    long side = features.dim(1);
    long c = features.dim(3);
    var x = f.conv2d(inRows(f, upscaled, side / 4), embeddingMaskfeature0);
    x = f.activate(embeddingMaskfeature1.forward(f, x), Activation.GELU);
    x = f.conv2d(x, embeddingMaskfeature3);
    var all = f.add(x.reshape(x.dim(0), side * side * c), features.reshape(side * side * c));
    var hyper = f.cast(hfMlp.forward(f32, token));
    return f.toF32(f.matmulTransposed(hyper, all.reshape(x.dim(0), side * side, c)))
        .reshape(x.dim(0), 1, side, side);
  }

  /// Pixels (B, G * G * 4 * 4, C), those of a token together and among them those of a quarter, in
  /// rows: (B, 4 G, 4 G, C).
  private static Tensor inRows(Functional f, Tensor x, long grid) {
    long side = 4 * grid;
    var out = f.empty(x.dim(0), side, side, x.dim(2));
    long bytes = x.byteSize() / (x.dim(0) * x.dim(1));
    f.ops()
        .workers()
        .forEach(
            x.dim(0) * side,
            side,
            (worker, from, to) -> {
              for (long row = from; row < to; row++) {
                long y = row % side;
                long image = row / side * side * side;
                for (long i = 0; i < 2 * grid; i++) {
                  long pair = image + Upscaling4x4.pair(grid, y, i);
                  MemorySegment.copy(
                      x.segment(),
                      pair * bytes,
                      out.segment(),
                      (row * side + 2 * i) * bytes,
                      2 * bytes);
                }
              }
            });
    return out;
  }
}
