package io.gatun.models.sam.modeling;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// Encodes prompts: points and corners of boxes as tokens, masks as something added to the image.
public final class PromptEncoder {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;

  private final SamConfig config;
  private final PositionEmbeddingRandom peLayer;
  private final float[][] pointEmbeddings = new float[4][];
  private final float[] notAPointEmbed;
  private final ConvWeight maskDownscaling0;
  private final LayerNorm maskDownscaling1;
  private final ConvWeight maskDownscaling3;
  private final LayerNorm maskDownscaling4;
  private final LinearWeight maskDownscaling6;
  private final Tensor noMaskEmbed;

  public PromptEncoder(Weights weights, SamConfig config) {
    this.config = config;
    int c = config.outChans();
    int m = config.maskInChans();
    var none = ConvWeight.Padding.of(0);
    peLayer = new PositionEmbeddingRandom(weights.at("pe_layer"), c);
    for (int i = 0; i < pointEmbeddings.length; i++) {
      pointEmbeddings[i] = weights.at("point_embeddings", i).tensor("weight", 1, c).toFloats();
    }
    notAPointEmbed = weights.tensor("not_a_point_embed.weight", 1, c).toFloats();
    var downscaling = weights.at("mask_downscaling");
    maskDownscaling0 = downscaling.conv("0", m / 4, 1, 2, 2, none);
    maskDownscaling1 = downscaling.layerNorm("1", m / 4, LAYER_NORM_2D_EPS);
    maskDownscaling3 = downscaling.conv("3", m, m / 4, 2, 2, none);
    maskDownscaling4 = downscaling.layerNorm("4", m, LAYER_NORM_2D_EPS);
    maskDownscaling6 = downscaling.linear("6", c, m);
    noMaskEmbed = weights.tensor("no_mask_embed.weight", 1, c);
  }

  /// The positions of the image's tokens as prompts have them: (G * G, C) F32.
  public Tensor densePe() {
    return peLayer.dense(config.grid());
  }

  /// The tokens (B, T, C) F32 of the points of B prompts, T in each.
  public Tensor sparse(Functional f, List<PromptPoints> prompts) {
    var out = f.ops().empty(prompts.size(), prompts.getFirst().size(), config.outChans());
    long row = 0;
    for (var points : prompts) {
      for (int i = 0; i < points.size(); i++) {
        int label = points.labels()[i];
        if (label == PromptPoints.NOT_A_POINT) {
          long at = 4 * row * notAPointEmbed.length;
          MemorySegment.copy(
              notAPointEmbed, 0, out.segment(), ValueLayout.JAVA_FLOAT, at, notAPointEmbed.length);
        } else {
          put(points.xy(), i, pointEmbeddings[label], out, row);
        }
        row++;
      }
    }
    return out;
  }

  /// Point `i` of `xy`, in pixels of the model's input: its position and what kind it is.
  private void put(float[] xy, int i, float[] kind, Tensor out, long row) {
    // Half a pixel to its centre.
    double x = (xy[2 * i] + 0.5) / config.imgSize();
    double y = (xy[2 * i + 1] + 0.5) / config.imgSize();
    peLayer.put(x, y, out, row);
    for (int c = 0; c < kind.length; c++) {
      long at = row * kind.length + c;
      float value = out.segment().getAtIndex(ValueLayout.JAVA_FLOAT, at);
      out.segment().setAtIndex(ValueLayout.JAVA_FLOAT, at, value + kind[c]);
    }
  }

  /// What is added to the image's tokens of prompts without a mask: (C), the same for all.
  public Tensor noMask(Functional f) {
    return f.cast(noMaskEmbed).reshape(config.outChans());
  }

  /// What is added to the image's tokens for the masks in prompts: (B, G * G, C).
  ///
  /// @param prompts logits of masks, as large as the decoder's
  /// @throws IllegalArgumentException if a mask has another size
  public Tensor dense(Functional f, List<float[]> prompts) {
    int side = config.maskSize();
    var masks = f.ops().empty(prompts.size(), side, side, 1);
    long at = 0;
    for (float[] logits : prompts) {
      if (logits.length != side * side) {
        throw new IllegalArgumentException(
            "the mask of a prompt has %d logits; need %d x %d, as the model's own masks have"
                .formatted(logits.length, side, side));
      }
      MemorySegment.copy(logits, 0, masks.segment(), ValueLayout.JAVA_FLOAT, at, logits.length);
      at += 4L * logits.length;
    }
    var x = f.conv2d(f.cast(masks), maskDownscaling0); // (B, 2 G, 2 G, M / 4)
    x = f.activate(maskDownscaling1.forward(f, x), Activation.GELU);
    x = f.conv2d(x, maskDownscaling3); // (B, G, G, M)
    x = f.activate(maskDownscaling4.forward(f, x), Activation.GELU);
    long tokens = (long) config.grid() * config.grid();
    return f.linear(x, maskDownscaling6).reshape(prompts.size(), tokens, config.outChans());
  }
}
