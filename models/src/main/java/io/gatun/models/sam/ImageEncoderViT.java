package io.gatun.models.sam;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// The image encoder: a plain vision transformer, most of whose blocks look at windows only (Li et
/// al. 2022, "Exploring Plain Vision Transformer Backbones for Object Detection").
public final class ImageEncoderViT {
  private static final float LAYER_NORM_2D_EPS = 1e-6f;

  private final SamConfig config;
  private final PatchEmbed patchEmbed;
  private final Tensor posEmbed;
  private final List<Block> blocks = new ArrayList<>();
  private final LinearWeight neck0;
  private final LayerNorm neck1;
  private final ConvWeight neck2;
  private final LayerNorm neck3;

  ImageEncoderViT(Weights weights, SamConfig config, Functional f) {
    this.config = config;
    long d = config.embedDim();
    long c = config.outChans();
    int positions = config.positionGrid();
    patchEmbed = new PatchEmbed(weights.at("patch_embed"), config);
    posEmbed =
        Constants.resized(
            f,
            weights.tensor("pos_embed", 1, positions, positions, d),
            config.grid(),
            config.grid());
    for (int i = 0; i < config.depth(); i++) {
      blocks.add(new Block(weights.at("blocks", i), config, config.isGlobal(i), f));
    }
    neck0 = weights.linearWithoutBias("neck.0", c, d);
    neck1 = weights.layerNorm("neck.1", c, LAYER_NORM_2D_EPS);
    neck2 = weights.convWithoutBias("neck.2", c, c, 3, 1, ConvWeight.Padding.of(1));
    neck3 = weights.layerNorm("neck.3", c, LAYER_NORM_2D_EPS);
  }

  /// The embedding (1, G, G, C) of a normalized and padded image (1, imgSize, imgSize, 3) F32.
  ///
  ///     x = patches(image) + positions;  x = block(x) for each block;  neck(x)
  ///
  /// The result and all in between come from the workspace: close a scope around it.
  public Tensor forward(Functional f, Tensor image) {
    return forward(f, image, x -> {});
  }

  /// An image's embedding, and its tokens after the first block whose attention is global.
  ///
  /// @param embedding (1, G, G, C)
  /// @param early (1, G, G, D)
  record Encoded(Tensor embedding, Tensor early) {}

  /// As [#forward(Functional, Tensor)], with the early tokens that SAM-HQ asks for.
  Encoded forwardWithEarly(Functional f, Tensor image) {
    var early = f.empty(1, config.grid(), config.grid(), config.embedDim());
    int first = 1 + config.globalAttnIndexes().getFirst();
    var stage = new int[1];
    var embedding =
        forward(
            f,
            image,
            x -> {
              if (stage[0]++ == first) {
                MemorySegment.copy(x.segment(), 0, early.segment(), 0, x.byteSize());
              }
            });
    return new Encoded(embedding, early);
  }

  /// As [#forward(Functional, Tensor)], showing `probe` the tokens (1, G, G, D) with their
  /// positions and after each block.
  public Tensor forward(Functional f, Tensor image, Consumer<Tensor> probe) {
    var x = patchEmbed.forward(f, image, Epilogue.add(posEmbed)); // (1, G, G, D)
    probe.accept(x);
    for (var block : blocks) {
      try (var _ = f.scope()) {
        MemorySegment.copy(block.forward(f, x).segment(), 0, x.segment(), 0, x.byteSize());
      }
      probe.accept(x);
    }
    x = neck1.forward(f, f.linear(x, neck0)); // (1, G, G, C)
    return neck3.forward(f, f.conv2d(x, neck2));
  }

  /// Floating-point operations of the products in one [#forward], two for each multiplication and
  /// addition.
  public long flops() {
    long tokens = (long) config.grid() * config.grid();
    long d = config.embedDim();
    long c = config.outChans();
    long neck = 2 * tokens * (d * c + 9 * c * c);
    return patchEmbed.flops() + blocks.stream().mapToLong(Block::flops).sum() + neck;
  }
}
