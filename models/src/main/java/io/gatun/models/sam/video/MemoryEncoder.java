package io.gatun.models.sam.video;

import io.gatun.models.nn.Constants;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// Makes a memory of a frame and of a mask in it.
final class MemoryEncoder {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;
  private static final int DOWNSAMPLINGS = 4;
  private static final float SCALE = 20;
  private static final float BIAS = -10;

  private final int imgSize;
  private final int memDim;
  private final List<Downsampling> maskDownsampler = new ArrayList<>();
  private final LinearWeight maskProj;
  private final LinearWeight pixFeatProj;
  private final List<FuserBlock> fuser = new ArrayList<>();
  private final LinearWeight outProj;
  private final Tensor noObjEmbedSpatial; // (M), or null in SAM 2.0

  /// A step of the mask to a quarter of its pixels, with four times as many channels.
  private record Downsampling(ConvWeight conv, LayerNorm norm) {
    Tensor forward(Functional f, Tensor x) {
      return f.activate(norm.forward(f, f.conv2d(x, conv)), Activation.GELU);
    }
  }

  /// A ConvNeXt block, whose layer scale is part of its last weights.
  private record FuserBlock(
      ConvWeight dwconv, LayerNorm norm, LinearWeight pwconv1, LinearWeight pwconv2) {
    Tensor forward(Functional f, Tensor x) {
      var y = norm.forward(f, f.depthwiseConv2d(x, dwconv));
      return f.linear(f.linear(y, pwconv1, Epilogue.of(Activation.GELU)), pwconv2, Epilogue.add(x));
    }
  }

  /// @param weights of the whole model
  MemoryEncoder(Weights weights, SamConfig config, int memDim, Functional f) {
    this.memDim = memDim;
    imgSize = config.imgSize();
    long c = config.outChans();
    var w = weights.at("memory_encoder");
    var padding = ConvWeight.Padding.of(1);
    long in = 1;
    for (int i = 0; i < DOWNSAMPLINGS; i++) {
      // Convolution, norm, activation, and so on, in one list.
      var conv = w.conv("mask_downsampler.encoder." + 3 * i, 4 * in, in, 3, 2, padding);
      String norm = "mask_downsampler.encoder." + (3 * i + 1);
      maskDownsampler.add(new Downsampling(conv, w.layerNorm(norm, 4 * in, LAYER_NORM_2D_EPS)));
      in *= 4;
    }
    maskProj = w.linear("mask_downsampler.encoder." + 3 * DOWNSAMPLINGS, c, in);
    pixFeatProj = w.linear("pix_feat_proj", c, c);
    for (int i = 0; w.has("fuser.layers.%d.gamma".formatted(i)); i++) {
      fuser.add(block(w.at("fuser.layers", i), c));
    }
    outProj = w.linear("out_proj", memDim, c);
    noObjEmbedSpatial =
        weights.has("no_obj_embed_spatial")
            ? Constants.keep(
                f, () -> f.cast(weights.tensor("no_obj_embed_spatial", 1, memDim)).reshape(memDim))
            : null;
  }

  private static FuserBlock block(Weights w, long c) {
    long hidden = w.shape("pwconv1.weight").dim(0);
    float[] gamma = w.tensor("gamma", c).toFloats();
    float[] weight = w.tensor("pwconv2.weight", c, hidden).toFloats();
    float[] bias = w.tensor("pwconv2.bias", c).toFloats();
    for (int i = 0; i < weight.length; i++) {
      weight[i] *= gamma[(int) (i / hidden)];
    }
    for (int i = 0; i < bias.length; i++) {
      bias[i] *= gamma[i];
    }
    var arena = Arena.ofAuto();
    int kernel = Math.toIntExact(w.shape("dwconv.weight").dim(2));
    return new FuserBlock(
        w.conv("dwconv", c, 1, kernel),
        w.layerNorm("norm", c, LAYER_NORM_2D_EPS),
        w.linear("pwconv1", hidden, c),
        LinearWeight.of(
            Tensor.ofFloats(arena, weight, c, hidden), Tensor.ofFloats(arena, bias, c)));
  }

  /// The memory (G G, M) of a frame.
  ///
  /// @param embedding of the frame (1, G, G, C)
  /// @param logits of the mask (h, w), which has a quarter of the input's size
  /// @param prompted whether the mask follows from prompts, and counts as it is, not as a guess
  /// @param appears whether the object is to be seen
  Tensor forward(
      Functional f, Tensor embedding, float[] logits, boolean prompted, boolean appears) {
    var x = f.cast(mask(f, logits, prompted));
    for (var step : maskDownsampler) {
      x = step.forward(f, x);
    }
    var mask = f.linear(x, maskProj);
    x = f.linear(embedding, pixFeatProj, Epilogue.add(mask));
    for (var block : fuser) {
      x = block.forward(f, x);
    }
    x = f.linear(x, outProj); // (1, G, G, M)
    x = x.reshape(x.dim(1) * x.dim(2), memDim);
    return appears || noObjEmbedSpatial == null ? x : f.add(x, noObjEmbedSpatial);
  }

  /// Shares of pixels, or 0 and 1, from -10 to 10: (1, imgSize, imgSize, 1) F32.
  private Tensor mask(Functional f, float[] logits, boolean prompted) {
    int low = imgSize / 4;
    var f32 = new Functional(f.ops(), DType.Plain.F32);
    var small = f32.empty(1, low, low, 1);
    MemorySegment.copy(logits, 0, small.segment(), ValueLayout.JAVA_FLOAT, 0, logits.length);
    var large = f32.resizeBilinear(small, imgSize, imgSize);
    f.ops()
        .workers()
        .forEach(
            imgSize,
            1,
            (_, from, to) -> {
              var row = new float[imgSize];
              for (long y = from; y < to; y++) {
                long at = 4 * y * imgSize;
                MemorySegment.copy(large.segment(), ValueLayout.JAVA_FLOAT, at, row, 0, imgSize);
                for (int i = 0; i < imgSize; i++) {
                  float share =
                      prompted ? (row[i] > 0 ? 1 : 0) : (float) (1 / (1 + Math.exp(-row[i])));
                  row[i] = share * SCALE + BIAS;
                }
                MemorySegment.copy(row, 0, large.segment(), ValueLayout.JAVA_FLOAT, at, imgSize);
              }
            });
    return large;
  }
}
