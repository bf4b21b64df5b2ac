package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.config.ViTConfig;
import io.gatun.models.sam.modeling.encoder.ImageEncoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Predicts masks from an image's embedding and prompts.
public final class MaskDecoder {
  private final SamConfig config;
  // The heads are so small that they cost nothing in F32, and their results are what users compare.
  private final Functional f32;
  private final TwoWayTransformer transformer;
  private final float[] iouToken;
  private final float[] maskTokens;
  private final Upscaling4x4 outputUpscaling;
  private final List<Mlp> outputHypernetworksMlps = new ArrayList<>();
  private final Mlp iouPredictionHead;
  private final HighQuality highQuality; // or null
  private final float[] objScoreToken; // of SAM 2, or empty
  private final Mlp predObjScoreHead; // or null

  /// Masks of every prompt, and how good they may be.
  ///
  /// @param logits of masks (B, M, 4 G, 4 G) F32
  /// @param ious how good the masks are thought to be (B, M)
  /// @param tokens what SAM 2 makes pointers of (B, M, C) F32
  /// @param objectScores of SAM 2, above 0 where the object is to be seen (B); none in other models
  public record Output(Tensor logits, float[] ious, Tensor tokens, float[] objectScores) {}

  /// @param densePe the positions of the image's tokens (G * G, C) F32
  public MaskDecoder(Weights weights, SamConfig config, Functional f, Tensor densePe) {
    this.config = config;
    f32 = new Functional(f.ops(), DType.Plain.F32);
    long c = config.outChans();
    int masks = config.numMultimaskOutputs() + 1;
    transformer = new TwoWayTransformer(weights.at("transformer"), config, f, densePe);
    iouToken = weights.tensor("iou_token.weight", 1, c).toFloats();
    maskTokens = weights.tensor("mask_tokens.weight", masks, c).toFloats();
    var upscaling = weights.at("output_upscaling");
    outputUpscaling =
        config.kind() == SamConfig.Kind.EFFICIENT
            ? Upscaling4x4.withGroupNorm(upscaling, c, c / 4, c / 8)
            : Upscaling4x4.withLayerNorm(upscaling, c, c / 4, c / 8);
    var activation = config.decoderActivation();
    for (int i = 0; i < masks; i++) {
      var mlp = weights.at("output_hypernetworks_mlps", i);
      outputHypernetworksMlps.add(new Mlp(mlp, c, c, c / 8, activation));
    }
    int hidden = config.iouHeadHiddenDim();
    iouPredictionHead = new Mlp(weights.at("iou_prediction_head"), c, hidden, masks, activation);
    highQuality =
        config.highQuality()
            ? new HighQuality(weights, config, (ViTConfig) config.encoder())
            : null;
    boolean sam2 = config.kind() == SamConfig.Kind.SAM2;
    objScoreToken = sam2 ? weights.tensor("obj_score_token.weight", 1, c).toFloats() : new float[0];
    predObjScoreHead = sam2 ? new Mlp(weights.at("pred_obj_score_head"), c, c, 1) : null;
  }

  /// What finer masks are read from, besides the embedding: in SAM-HQ (1, 4 G, 4 G, C / 8), in SAM
  /// 2 the levels of its encoder, their pixels by tokens, in others nothing.
  public List<Tensor> features(Functional f, ImageEncoder.Encoded image) {
    var levels = image.levels();
    return switch (config.kind()) {
      case HIGH_QUALITY -> List.of(highQuality.features(f, levels.getFirst(), image.embedding()));
      case SAM2 ->
          List.of(
              Upscaling4x4.byTokens(f, levels.get(0), 4),
              Upscaling4x4.byTokens(f, levels.get(1), 2));
      default -> List.of();
    };
  }

  /// Prepares an image's embedding (1, G, G, C) for prompts.
  ///
  /// @param dense what the prompts' masks add to it: (B, G * G, C), or (C) for all prompts
  public TwoWayTransformer.Image image(Functional f, Tensor embedding, Tensor dense) {
    var tokens = embedding.reshape(1, embedding.dim(1) * embedding.dim(2), embedding.dim(3));
    var src = dense.shape().rank() == 1 ? f.add(tokens, dense) : f.add(dense, tokens.get(0));
    return transformer.image(f, src);
  }

  /// The masks for B prompts about one image.
  ///
  ///     tokens, image = transformer(output tokens and prompts, image)
  ///     masks = mlp(mask tokens) upscale(image)^T;  ious = mlp(iou token)
  ///
  /// SAM-HQ adds the mask of its own token to each. SAM 2 upscales with finer levels of the image,
  /// and in place of an unstable single mask gives the best of several, see [Stability]. EfficientSAM's
  /// own code never asks for the single mask, which is poor: it gives the best of several always.
  ///
  /// @param features of the image, see [#features]
  /// @param sparse the prompts' tokens (B, T, C) F32
  /// @param multimaskOutput whether each prompt gets several masks, for when it is ambiguous, or one
  public Output forward(
      Functional f,
      TwoWayTransformer.Image image,
      List<Tensor> features,
      Tensor sparse,
      boolean multimaskOutput) {
    boolean sam2 = predObjScoreHead != null;
    var out = transformer.forward(f, f.cast(withOutputTokens(sparse)), image);
    int all = outputHypernetworksMlps.size();
    boolean chooses = (sam2 || config.kind() == SamConfig.Kind.EFFICIENT) && !multimaskOutput;
    int from = multimaskOutput ? 1 : 0;
    int to = multimaskOutput || chooses ? all : 1;
    long batch = sparse.dim(0);
    var tokens = f.toF32(out.tokens()); // (B, T, C)
    int iou = sam2 ? 1 : 0; // behind the object's score
    var maskTokens = tokens.slice(1, iou + 1, iou + 1 + all);
    float[] ious = iouPredictionHead.forward(f32, tokens.slice(1, iou, iou + 1)).toFloats();
    var hyper = new Tensor[to - from];
    for (int i = from; i < to; i++) {
      hyper[i - from] = outputHypernetworksMlps.get(i).forward(f32, maskTokens.slice(1, i, i + 1));
    }
    var hyperIn = f.cast(f32.concat(hyper)).reshape(batch, to - from, config.outChans() / 8);
    var upscaled =
        sam2
            ? outputUpscaling.forward(f, out.image(), features)
            : outputUpscaling.forward(f, out.image(), Epilogue.of(Activation.GELU));
    var masks = inRows(f, f.toF32(f.matmulTransposed(hyperIn, upscaled))); // (B, M, 16 G * G)
    if (highQuality != null) {
      var token = tokens.slice(1, all + 1, all + 2);
      var added = highQuality.masks(f, f32, token, upscaled, features.getFirst());
      addToEach(f32, masks, added);
    }
    float[] scores = {};
    if (sam2) {
      sigmoid(ious);
      scores = predObjScoreHead.forward(f32, tokens.slice(1, 0, 1)).toFloats();
    }
    if (!chooses) {
      return new Output(masks, columns(ious, all, from, to), maskTokens.slice(1, from, to), scores);
    }
    int[] chosen =
        sam2
            ? Stability.choose(masks, ious)
            : IntStream.range(0, (int) batch).map(b -> Stability.best(ious, b, all)).toArray();
    var chosenMasks = f32.empty(batch, 1, masks.dim(2), masks.dim(3));
    var chosenIous = new float[chosen.length];
    for (int b = 0; b < chosen.length; b++) {
      var mask = masks.get(b).get(chosen[b]);
      long bytes = mask.byteSize();
      MemorySegment.copy(mask.segment(), 0, chosenMasks.segment(), b * bytes, bytes);
      chosenIous[b] = ious[b * all + chosen[b]];
    }
    return new Output(chosenMasks, chosenIous, maskTokens.slice(1, 0, 1), scores);
  }

  /// Some columns of a matrix of `width` columns.
  private static float[] columns(float[] matrix, int width, int from, int to) {
    var out = new float[matrix.length / width * (to - from)];
    for (int row = 0; row < matrix.length / width; row++) {
      System.arraycopy(matrix, row * width + from, out, row * (to - from), to - from);
    }
    return out;
  }

  private static void sigmoid(float[] x) {
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) (1 / (1 + Math.exp(-x[i])));
    }
  }

  /// Adds a mask of each prompt (B, 1, H, W) to all of that prompt's (B, M, H, W).
  private static void addToEach(Functional f32, Tensor masks, Tensor added) {
    try (var _ = f32.scope()) {
      for (long b = 0; b < masks.dim(0); b++) {
        var mine = masks.get(b);
        var sum = f32.add(mine, added.get(b).get(0));
        MemorySegment.copy(sum.segment(), 0, mine.segment(), 0, mine.byteSize());
      }
    }
  }

  /// The pixels of masks, as [Upscaling4x4] orders them, in rows: (B, M, 4 G, 4 G).
  private Tensor inRows(Functional f, Tensor masks) {
    int grid = config.grid();
    int side = config.maskSize();
    var out = f.ops().empty(masks.dim(0), masks.dim(1), side, side);
    f.ops()
        .workers()
        .forEach(
            masks.dim(0) * masks.dim(1) * side,
            grid,
            (worker, from, to) -> {
              for (long row = from; row < to; row++) {
                long y = row % side;
                copyRow(masks, row / side * side * side, grid, y, out, row * side);
              }
            });
    return out;
  }

  /// Row `y` of the mask whose pixels begin at `from`.
  private static void copyRow(Tensor masks, long from, int grid, long y, Tensor out, long to) {
    for (long i = 0; i < 2L * grid; i++) {
      long pair =
          masks
              .segment()
              .get(ValueLayout.JAVA_LONG_UNALIGNED, 4 * (from + Upscaling4x4.pair(grid, y, i)));
      out.segment().set(ValueLayout.JAVA_LONG_UNALIGNED, 4 * (to + 2 * i), pair);
    }
  }

  /// The tokens that masks and their qualities are read from, and then the prompts': (B, T, C) F32.
  private Tensor withOutputTokens(Tensor sparse) {
    float[] hqToken = highQuality == null ? new float[0] : highQuality.token();
    long c = sparse.dim(2);
    long prompt = 4 * sparse.dim(1) * c;
    int own = objScoreToken.length + iouToken.length + maskTokens.length + hqToken.length;
    var out = f32.empty(sparse.dim(0), own / c + sparse.dim(1), c);
    long at = 0;
    for (long b = 0; b < sparse.dim(0); b++) {
      at = put(objScoreToken, out, at);
      at = put(iouToken, out, at);
      at = put(maskTokens, out, at);
      at = put(hqToken, out, at);
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
