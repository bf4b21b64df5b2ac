package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.config.TinyViTConfig;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// MobileSAM's image encoder (Zhang et al. 2023, arXiv 2306.14289): TinyViT (Wu et al. 2022, arXiv
/// 2207.10666), a stage of convolutions and three of attention inside windows.
public final class TinyViT implements ImageEncoder {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;
  private static final int LAST_MERGING = 2;

  private final int side;
  private final ConvWeight patchEmbed0;
  private final ConvWeight patchEmbed2;
  private final List<List<Layer>> stages = new ArrayList<>();
  private final LinearWeight neck0;
  private final LayerNorm neck1;
  private final ConvWeight neck2;
  private final LayerNorm neck3;

  /// What makes an image's tokens (1, H, W, C) of others.
  interface Layer {
    Tensor forward(Functional f, Tensor x);

    /// Of the products in one [#forward] of (1, side, side, C).
    long flops(long side);
  }

  public TinyViT(Weights weights, TinyViTConfig config, SamConfig sam, Functional f) {
    side = sam.imgSize();
    int dim = config.embedDim();
    var patches = weights.at("patch_embed.seq");
    patchEmbed0 = ConvBn.conv(patches.at("0"), dim / 2, 3, 3, 2);
    patchEmbed2 = ConvBn.conv(patches.at("2"), dim, dim / 2, 3, 2);
    for (int stage = 0; stage < config.depths().size(); stage++) {
      var w = weights.at("layers", stage);
      dim = config.embedDims().get(stage);
      var layers = new ArrayList<Layer>();
      for (int i = 0; i < config.depths().get(stage); i++) {
        var block = w.at("blocks", i);
        layers.add(
            stage == 0
                ? MobileConv.block(block, dim)
                : new TinyViTBlock(
                    block,
                    dim,
                    config.numHeads().get(stage - 1),
                    config.windowSizes().get(stage - 1),
                    f));
      }
      if (stage + 1 < config.depths().size()) {
        int stride = stage == LAST_MERGING ? 1 : 2;
        layers.add(
            MobileConv.merging(w.at("downsample"), dim, config.embedDims().get(stage + 1), stride));
      }
      stages.add(layers);
    }
    long c = config.outChans();
    neck0 = weights.linearWithoutBias("neck.0", c, dim);
    neck1 = weights.layerNorm("neck.1", c, LAYER_NORM_2D_EPS);
    neck2 = weights.convWithoutBias("neck.2", c, c, 3, 1, ConvWeight.Padding.of(1));
    neck3 = weights.layerNorm("neck.3", c, LAYER_NORM_2D_EPS);
  }

  /// The embedding, and no levels.
  ///
  /// @param probe sees the tokens (1, H, W, D) at the beginning and after each stage
  @Override
  public Encoded encode(Functional f, Tensor image, Consumer<Tensor> probe) {
    var gelu = Epilogue.of(Activation.GELU);
    var x = f.conv2d(f.conv2d(f.cast(image), patchEmbed0, gelu), patchEmbed2);
    probe.accept(x);
    for (var stage : stages) {
      for (var layer : stage) {
        var tokens = x;
        x = Scoped.call(f, () -> layer.forward(f, tokens));
      }
      probe.accept(x);
    }
    x = neck1.forward(f, f.linear(x, neck0)); // (1, G, G, C)
    return new Encoded(neck3.forward(f, f.conv2d(x, neck2)), List.of());
  }

  @Override
  public long flops() {
    long half = side / 2;
    long now = side / 4;
    long sum = 2 * half * half * patchEmbed0.weight().size();
    sum += 2 * now * now * patchEmbed2.weight().size();
    for (var stage : stages) {
      for (var layer : stage) {
        sum += layer.flops(now);
        now = layer instanceof MobileConv conv ? conv.side(now) : now;
      }
    }
    return sum + 2 * now * now * (neck0.inFeatures() * neck0.outFeatures() + neck2.weight().size());
  }
}
