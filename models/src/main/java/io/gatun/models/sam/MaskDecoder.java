package io.gatun.models.sam;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// Predicts masks from an image's embedding and prompts.
public final class MaskDecoder {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;

  private final SamConfig config;
  // The heads are so small that they cost nothing in F32, and their results are what users compare.
  private final Functional f32;
  private final TwoWayTransformer transformer;
  private final float[] iouToken;
  private final float[] maskTokens;
  private final Tensor upscaling0Weight;
  private final Tensor upscaling0Bias;
  private final LayerNorm upscaling1;
  private final Tensor upscaling3Weight;
  private final Tensor upscaling3Bias;
  private final List<Mlp> outputHypernetworksMlps = new ArrayList<>();
  private final Mlp iouPredictionHead;

  /// @param logits of masks (B, M, 4 G, 4 G) F32
  /// @param ious how good the masks are thought to be (B, M) F32
  public record Prediction(Tensor logits, Tensor ious) {}

  /// @param densePe the positions of the image's tokens (G * G, C) F32
  MaskDecoder(Weights weights, SamConfig config, Functional f, Tensor densePe) {
    this.config = config;
    f32 = new Functional(f.ops(), DType.Plain.F32);
    long c = config.outChans();
    int masks = config.numMultimaskOutputs() + 1;
    transformer = new TwoWayTransformer(weights.at("transformer"), config, f, densePe);
    iouToken = weights.tensor("iou_token.weight", 1, c).toFloats();
    maskTokens = weights.tensor("mask_tokens.weight", masks, c).toFloats();
    var upscaling = weights.at("output_upscaling");
    upscaling0Weight = upscaling.tensor("0.weight", c, c / 4, 2, 2);
    upscaling0Bias = upscaling.tensor("0.bias", c / 4);
    upscaling1 = upscaling.layerNorm("1", c / 4, LAYER_NORM_2D_EPS);
    upscaling3Weight = upscaling.tensor("3.weight", c / 4, c / 8, 2, 2);
    upscaling3Bias = upscaling.tensor("3.bias", c / 8);
    for (int i = 0; i < masks; i++) {
      outputHypernetworksMlps.add(
          new Mlp(weights.at("output_hypernetworks_mlps", i), c, c, c / 8));
    }
    iouPredictionHead =
        new Mlp(weights.at("iou_prediction_head"), c, config.iouHeadHiddenDim(), masks);
  }

  /// Prepares an image's embedding (1, G, G, C) for prompts.
  ///
  /// @param dense what the prompts' masks add to it: (B, G * G, C), or (C) for all prompts
  TwoWayTransformer.Image image(Functional f, Tensor embedding, Tensor dense) {
    var tokens = embedding.reshape(1, embedding.dim(1) * embedding.dim(2), embedding.dim(3));
    var src = dense.shape().rank() == 1 ? f.add(tokens, dense) : f.add(dense, tokens.get(0));
    return transformer.image(f, src);
  }

  /// The masks for B prompts about one image.
  ///
  ///     tokens, image = transformer(output tokens and prompts, image)
  ///     masks = mlp(mask tokens) upscale(image)^T;  ious = mlp(iou token)
  ///
  /// @param sparse the prompts' tokens (B, T, C) F32
  /// @param multimaskOutput whether each prompt gets several masks, for when it is ambiguous, or one
  Prediction forward(
      Functional f, TwoWayTransformer.Image image, Tensor sparse, boolean multimaskOutput) {
    var out = transformer.forward(f, f.cast(withOutputTokens(sparse)), image);
    int from = multimaskOutput ? 1 : 0;
    int to = multimaskOutput ? outputHypernetworksMlps.size() : 1;
    long batch = sparse.dim(0);
    var tokens = f.toF32(out.tokens()); // (B, T, C)
    var ious = iouPredictionHead.forward(f32, tokens.slice(1, 0, 1)); // (B, 1, masks)
    var hyper = new Tensor[to - from];
    for (int i = from; i < to; i++) {
      hyper[i - from] =
          outputHypernetworksMlps.get(i).forward(f32, tokens.slice(1, 1 + i, 2 + i));
    }
    var hyperIn = f.cast(f32.concat(hyper)).reshape(batch, to - from, config.outChans() / 8);
    var masks = f.matmulTransposed(hyperIn, upscale(f, out.image())); // (B, M, 16 G * G)
    int side = config.maskSize();
    return new Prediction(
        f.toF32(masks).reshape(batch, to - from, side, side), ious.slice(-1, from, to));
  }

  /// The image's tokens (B, G * G, C) as pixels: (B, 4 G * 4 G, C / 8).
  private Tensor upscale(Functional f, Tensor image) {
    int grid = config.grid();
    var x = image.reshape(image.dim(0), grid, grid, config.outChans());
    x = upscaling1.forward(f, f.convTranspose2x2(x, upscaling0Weight, upscaling0Bias));
    x = f.activate(x, Activation.GELU); // (B, 2 G, 2 G, C / 4)
    x = f.activate(f.convTranspose2x2(x, upscaling3Weight, upscaling3Bias), Activation.GELU);
    return x.reshape(x.dim(0), x.dim(1) * x.dim(2), x.dim(3));
  }

  /// The tokens that masks and their qualities are read from, and then the prompts': (B, T, C) F32.
  private Tensor withOutputTokens(Tensor sparse) {
    long c = sparse.dim(2);
    long prompt = 4 * sparse.dim(1) * c;
    var out = f32.empty(sparse.dim(0), (iouToken.length + maskTokens.length) / c + sparse.dim(1), c);
    long at = 0;
    for (long b = 0; b < sparse.dim(0); b++) {
      at = put(iouToken, out, at);
      at = put(maskTokens, out, at);
      MemorySegment.copy(sparse.segment(), b * prompt, out.segment(), at, prompt);
      at += prompt;
    }
    return out;
  }

  private static long put(float[] values, Tensor out, long at) {
    MemorySegment.copy(values, 0, out.segment(), ValueLayout.JAVA_FLOAT, at, values.length);
    return at + 4L * values.length;
  }
}
