package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// Encodes prompts: points and corners of boxes as tokens, masks as something added to the image.
public final class PromptEncoder {
  private final SamConfig config;
  private final PositionEmbeddingRandom peLayer;
  private final boolean efficient;
  private final float[][] pointEmbeddings = new float[4][]; // of 0 EfficientSAM has none
  private final float[] notAPointEmbed;
  private final MaskDownscaling maskDownscaling; // or null
  private final Tensor noMaskEmbed;

  public PromptEncoder(Weights weights, SamConfig config) {
    this.config = config;
    int c = config.outChans();
    efficient = config.kind() == SamConfig.Kind.EFFICIENT;
    peLayer = new PositionEmbeddingRandom(weights.at("pe_layer"), c);
    for (int i = efficient ? 1 : 0; i < pointEmbeddings.length; i++) {
      pointEmbeddings[i] = weights.at("point_embeddings", i).tensor("weight", 1, c).toFloats();
    }
    notAPointEmbed = weights.tensor("not_a_point_embed.weight", 1, c).toFloats();
    maskDownscaling =
        efficient ? null : new MaskDownscaling(weights.at("mask_downscaling"), config);
    noMaskEmbed =
        efficient
            ? Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, 1, c)
            : weights.tensor("no_mask_embed.weight", 1, c);
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
        if (label == PromptPoints.NOT_A_POINT && efficient) {
          put(points.xy(), i, notAPointEmbed, out, row);
        } else if (label == PromptPoints.NOT_A_POINT) {
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
  /// @throws IllegalArgumentException if a mask has another size, or the model takes none
  public Tensor dense(Functional f, List<float[]> prompts) {
    if (maskDownscaling == null) {
      throw new IllegalArgumentException(
          "EfficientSAM takes no masks in prompts; give points on the object, a box, or both");
    }
    return maskDownscaling.forward(f, prompts);
  }
}
