package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Constants;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.HieraConfig;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// SAM 2's image encoder: Hiera (Ryali et al. 2023, arXiv 2306.00989), a transformer whose stages
/// halve rows and columns, and a feature pyramid over them.
///
/// The mask decoder sees the finer levels through a convolution of 1 x 1 that follows the
/// pyramid's: both are one here.
public final class HieraEncoder implements ImageEncoder {
  private static final int PATCH_KERNEL = 7;

  private final HieraConfig config;
  private final int side;
  private final ConvWeight patchEmbed;
  private final Tensor positions; // (1, S, S, D), S the first stage's rows
  private final List<MultiScaleBlock> blocks = new ArrayList<>();
  private final LinearWeight[] lateral; // of each stage
  private final int patches;

  /// @param weights of the whole model
  public HieraEncoder(Weights weights, HieraConfig config, SamConfig sam, Functional f) {
    this.config = config;
    side = sam.imgSize() / HieraConfig.STRIDE;
    var trunk = weights.at("image_encoder.trunk");
    int dim = config.embedDim();
    patches = dim * 3 * PATCH_KERNEL * PATCH_KERNEL;
    patchEmbed =
        trunk.conv(
            "patch_embed.proj",
            dim,
            3,
            PATCH_KERNEL,
            HieraConfig.STRIDE,
            ConvWeight.Padding.of(PATCH_KERNEL / 2));
    positions = Constants.keep(f, () -> f.cast(WindowedPositions.of(trunk, config, side)));
    for (int stage = 0; stage < config.stages().size(); stage++) {
      for (int i = 0; i < config.stages().get(stage); i++) {
        boolean pools = stage > 0 && i == 0;
        // What leads to a stage sees the windows of the one before.
        int window = config.windows().get(pools ? stage - 1 : stage);
        boolean global = config.globalBlocks().contains(blocks.size());
        int to = config.dims().get(stage);
        blocks.add(
            new MultiScaleBlock(
                trunk.at("blocks", blocks.size()),
                new MultiScaleBlock.Form(
                    dim, to, config.heads().get(stage), global ? 0 : window, pools),
                f));
        dim = to;
      }
    }
    lateral = lateral(weights, sam.outChans(), f);
  }

  private LinearWeight[] lateral(Weights weights, int outChans, Functional f) {
    int stages = config.stages().size();
    var lateral = new LinearWeight[stages];
    for (int i = 0; i < stages; i++) {
      // The reference numbers them from the coarsest on.
      String name = "image_encoder.neck.convs.%d.conv".formatted(stages - 1 - i);
      lateral[i] = weights.linear(name, outChans, config.dims().get(i));
    }
    var decoder = weights.at("mask_decoder");
    lateral[0] = Constants.chain(f, lateral[0], decoder.linear("conv_s0", outChans / 8, outChans));
    lateral[1] = Constants.chain(f, lateral[1], decoder.linear("conv_s1", outChans / 4, outChans));
    return lateral;
  }

  /// The embedding of what may have a past, without SAM 2's sign for none, and, as levels, what the
  /// mask decoder adds: (1, 4 G, 4 G, C / 8), then (1, 2 G, 2 G, C / 4).
  ///
  /// @param probe sees the tokens (1, H, W, D) with their positions and after each block
  @Override
  public Encoded encode(Functional f, Tensor image, Consumer<Tensor> probe) {
    var x = f.add(f.conv2d(f.cast(image), patchEmbed), positions); // (1, S, S, D)
    probe.accept(x);
    var stages = new ArrayList<Tensor>();
    int block = 0;
    for (int depth : config.stages()) {
      for (int i = 0; i < depth; i++) {
        var tokens = x;
        var next = blocks.get(block++);
        x = Scoped.call(f, () -> next.forward(f, tokens));
        probe.accept(x);
      }
      stages.add(x);
    }
    var top = f.linear(stages.get(2), lateral[2]);
    if (config.topDown().contains(2)) {
      var coarse = f.upsampleNearest2x(f.linear(stages.get(3), lateral[3]));
      top = f.add(top, coarse); // (1, G, G, C)
    }
    var level0 = f.linear(stages.get(0), lateral[0]);
    var level1 = f.linear(stages.get(1), lateral[1]);
    return new Encoded(top, List.of(level0, level1));
  }

  @Override
  public long flops() {
    long sum = 2L * side * side * patches;
    long now = side;
    for (var block : blocks) {
      sum += block.flops(now);
      now = block.side(now);
    }
    for (int i = 0; i < lateral.length; i++) {
      long tokens = ((long) side >> i) * (side >> i);
      sum += 2 * tokens * lateral[i].inFeatures() * lateral[i].outFeatures();
    }
    return sum;
  }
}
