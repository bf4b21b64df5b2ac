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
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// SAM 2's image encoder: Hiera (Ryali et al. 2023, arXiv 2306.00989), a transformer whose stages
/// halve rows and columns, and a feature pyramid over them.
///
/// The first blocks look at nothing outside of squares of the image as large as the first windows,
/// the mask units. They are all computed of some rows of units before the next rows, so that what
/// is between them stays in the caches, and there is never the whole of it.
///
/// The mask decoder sees the finer levels through a convolution of 1 x 1 that follows the
/// pyramid's: both are one here.
public final class HieraEncoder implements ImageEncoder {
  private static final int PATCH_KERNEL = 7;

  /// Of the first stage, so many at the least are computed together.
  private static final int TOKENS = 4096;

  /// Stages that the mask decoder sees on their own.
  private static final int LEVELS = 2;

  private final HieraConfig config;
  private final int side;
  private final ConvWeight patchEmbed;
  private final int unit; // rows of a mask unit
  private final int inUnits; // blocks
  private final Tensor positions; // (units, U U, D)
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
    unit = config.windows().getFirst();
    positions =
        Constants.keep(
            f,
            () -> f.windowPartition(f.cast(WindowedPositions.of(trunk, config, side)), unit, null));
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
    inUnits = inUnits();
    lateral = lateral(weights, sam.outChans(), f);
  }

  /// How many blocks stay in a unit: of the first two stages, and the one that leads to the third.
  private int inUnits() {
    int most = config.stages().get(0) + config.stages().get(1) + 1;
    long rows = unit;
    int n = 0;
    while (n < most && blocks.get(n).staysIn(rows)) {
      rows = blocks.get(n).side(rows);
      n++;
    }
    return n;
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
    var levels = new Tensor[LEVELS];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = f.empty(1, (long) side >> i, (long) side >> i, lateral[i].outFeatures());
    }
    var x = Scoped.call(f, () -> firstBlocks(f, image, levels, probe));
    var stages = new Tensor[config.stages().size()];
    for (int i = inUnits - 1; i < blocks.size(); i++) {
      if (i >= inUnits) {
        var tokens = x;
        var block = blocks.get(i);
        x = Scoped.call(f, () -> block.forward(f, tokens));
        probe.accept(x);
      }
      int ended = endedStage(i);
      if (ended >= levels.length) {
        stages[ended] = x;
      } else if (ended >= 0 && i >= inUnits) {
        levels[ended] = f.linear(x, lateral[ended]);
      }
    }
    var top = f.linear(stages[2], lateral[2]);
    if (config.topDown().contains(2)) {
      var coarse = f.upsampleNearest2x(f.linear(stages[3], lateral[3]));
      top = f.add(top, coarse); // (1, G, G, C)
    }
    return new Encoded(top, List.of(levels));
  }

  /// The stage whose last block it is; -1 if it is none's.
  private int endedStage(int block) {
    int last = -1;
    for (int stage = 0; stage < config.stages().size(); stage++) {
      last += config.stages().get(stage);
      if (last == block) {
        return stage;
      }
    }
    return -1;
  }

  /// The tokens (1, H, W, D) after the blocks that stay in units; fills the levels that end there.
  private Tensor firstBlocks(Functional f, Tensor image, Tensor[] levels, Consumer<Tensor> probe) {
    int across = side / unit;
    long rows = unit;
    for (int i = 0; i < inUnits; i++) {
      rows = blocks.get(i).side(rows);
    }
    long c = inUnits == 0 ? config.embedDim() : blocks.get(inUnits - 1).dimOut();
    var out = f.empty(1, across * rows, across * rows, c);
    // A probe sees the whole image.
    int atOnce = probe == NONE ? Math.clamp(TOKENS / ((long) unit * side), 1, across) : across;
    var embedded = f.conv2d(f.cast(image), patchEmbed); // (1, S, S, D)
    for (int first = 0; first < across; first += atOnce) {
      int from = first;
      int to = Math.min(across, first + atOnce);
      Scoped.run(
          f,
          () -> {
            var x = unitsOf(f, embedded, from, to); // (units, U, U, D)
            show(f, x, probe);
            for (int i = 0; i < inUnits; i++) {
              var tokens = x;
              var block = blocks.get(i);
              x = Scoped.call(f, () -> block.forward(f, tokens));
              show(f, x, probe);
              int ended = endedStage(i);
              if (ended >= 0 && ended < levels.length) {
                put(inRows(f, f.linear(x, lateral[ended])), levels[ended], from, to);
              }
            }
            put(inRows(f, x), out, from, to);
          });
    }
    return out;
  }

  /// Some rows of units with their positions.
  private Tensor unitsOf(Functional f, Tensor embedded, int from, int to) {
    long across = side / unit;
    var rows = embedded.slice(1, (long) from * unit, (long) to * unit);
    var x =
        f.add(f.windowPartition(rows, unit, null), positions.slice(0, from * across, to * across));
    return x.reshape(x.dim(0), unit, unit, x.dim(2));
  }

  /// Some rows of units (units, H, W, C) as a part of an image (1, rows, columns, C).
  private Tensor inRows(Functional f, Tensor x) {
    long across = side / unit;
    long width = x.dim(2);
    var windows = x.reshape(x.dim(0), x.dim(1) * width, x.dim(3));
    long height = x.dim(0) / across * x.dim(1);
    return f.windowUnpartition(windows, Math.toIntExact(width), 1, height, across * width);
  }

  private static void put(Tensor rows, Tensor image, int from, int to) {
    long bytes = rows.byteSize();
    MemorySegment.copy(rows.segment(), 0, image.segment(), bytes / (to - from) * from, bytes);
  }

  private void show(Functional f, Tensor x, Consumer<Tensor> probe) {
    if (probe != NONE) {
      probe.accept(inRows(f, x));
    }
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
