package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Bicubic;
import io.gatun.models.nn.Constants;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.ViTConfig;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// The image encoder: a plain vision transformer, most of whose blocks look at windows only (Li et
/// al. 2022, "Exploring Plain Vision Transformer Backbones for Object Detection"), or in
/// EfficientSAM none (Xiong et al. 2023, arXiv 2312.00863).
public final class ImageEncoderViT implements ImageEncoder {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;

  private final ViTConfig config;
  private final boolean showsEarly;
  private final PatchEmbed patchEmbed;
  private final Tensor posEmbed;
  private final List<Block> blocks = new ArrayList<>();
  private final LinearWeight neck0;
  private final LayerNorm neck1;
  private final ConvWeight neck2;
  private final LayerNorm neck3;

  /// @param showsEarly whether the tokens after the first global block are wanted, as SAM-HQ does
  public ImageEncoderViT(Weights weights, ViTConfig config, boolean showsEarly, Functional f) {
    this.showsEarly = showsEarly;
    this.config = config;
    long d = config.embedDim();
    long c = config.outChans();
    patchEmbed = new PatchEmbed(weights.at("patch_embed"), config);
    posEmbed = positions(weights, config, f);
    for (int i = 0; i < config.depth(); i++) {
      blocks.add(new Block(weights.at("blocks", i), config, config.isGlobal(i), f));
    }
    neck0 = weights.linearWithoutBias("neck.0", c, d);
    neck1 = weights.layerNorm("neck.1", c, LAYER_NORM_2D_EPS);
    neck2 = weights.convWithoutBias("neck.2", c, c, 3, 1, ConvWeight.Padding.of(1));
    neck3 = weights.layerNorm("neck.3", c, LAYER_NORM_2D_EPS);
  }

  /// The positions of the tokens (1, G, G, D), interpolated as the models do.
  private static Tensor positions(Weights weights, ViTConfig config, Functional f) {
    int d = config.embedDim();
    int from = config.positionGrid();
    int to = config.grid();
    if (config.relativePositions()) {
      return Constants.resized(f, weights.tensor("pos_embed", 1, from, from, d), to, to);
    }
    float[] all = weights.tensor("pos_embed", 1, (long) from * from + 1, d).toFloats();
    float[] table = Bicubic.resize(Arrays.copyOfRange(all, d, all.length), from, to, d);
    return Constants.keep(f, () -> f.cast(Tensor.ofFloats(Arena.ofAuto(), table, 1, to, to, d)));
  }

  /// The embedding (1, G, G, C) of a normalized and padded image (1, imgSize, imgSize, 3) F32, and,
  /// for SAM-HQ, its tokens after the first block whose attention is global (1, G, G, D).
  ///
  ///     x = patches(image) + positions;  x = block(x) for each block;  neck(x)
  ///
  /// @param probe sees the tokens (1, G, G, D) with their positions and after each block
  @Override
  public Encoded encode(Functional f, Tensor image, Consumer<Tensor> probe) {
    var early = showsEarly ? f.empty(1, config.grid(), config.grid(), config.embedDim()) : null;
    var x = patchEmbed.forward(f, image, Epilogue.add(posEmbed)); // (1, G, G, D)
    probe.accept(x);
    for (int i = 0; i < blocks.size(); i++) {
      try (var _ = f.scope()) {
        var y = blocks.get(i).forward(f, x);
        MemorySegment.copy(y.segment(), 0, x.segment(), 0, x.byteSize());
      }
      probe.accept(x);
      if (showsEarly && i == config.globalAttnIndexes().getFirst()) {
        MemorySegment.copy(x.segment(), 0, early.segment(), 0, x.byteSize());
      }
    }
    x = neck1.forward(f, f.linear(x, neck0)); // (1, G, G, C)
    x = neck3.forward(f, f.conv2d(x, neck2));
    return new Encoded(x, showsEarly ? List.of(early) : List.of());
  }

  @Override
  public long flops() {
    long tokens = (long) config.grid() * config.grid();
    long d = config.embedDim();
    long c = config.outChans();
    long neck = 2 * tokens * (d * c + 9 * c * c);
    return patchEmbed.flops() + blocks.stream().mapToLong(Block::flops).sum() + neck;
  }
}
