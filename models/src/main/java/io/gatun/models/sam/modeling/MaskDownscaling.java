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

/// Makes of the masks in prompts what is added to the image's tokens.
final class MaskDownscaling {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;

  private final SamConfig config;
  private final ConvWeight conv0;
  private final LayerNorm norm1;
  private final ConvWeight conv3;
  private final LayerNorm norm4;
  private final LinearWeight linear6;

  MaskDownscaling(Weights weights, SamConfig config) {
    this.config = config;
    int m = config.maskInChans();
    var none = ConvWeight.Padding.of(0);
    conv0 = weights.conv("0", m / 4, 1, 2, 2, none);
    norm1 = weights.layerNorm("1", m / 4, LAYER_NORM_2D_EPS);
    conv3 = weights.conv("3", m, m / 4, 2, 2, none);
    norm4 = weights.layerNorm("4", m, LAYER_NORM_2D_EPS);
    linear6 = weights.linear("6", config.outChans(), m);
  }

  /// (B, G * G, C) of the masks of B prompts.
  ///
  /// @param prompts logits of masks, as large as the decoder's
  /// @throws IllegalArgumentException if a mask has another size
  Tensor forward(Functional f, List<float[]> prompts) {
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
    var x = f.conv2d(f.cast(masks), conv0); // (B, 2 G, 2 G, M / 4)
    x = f.activate(norm1.forward(f, x), Activation.GELU);
    x = f.conv2d(x, conv3); // (B, G, G, M)
    x = f.activate(norm4.forward(f, x), Activation.GELU);
    long tokens = (long) config.grid() * config.grid();
    return f.linear(x, linear6).reshape(prompts.size(), tokens, config.outChans());
  }
}
