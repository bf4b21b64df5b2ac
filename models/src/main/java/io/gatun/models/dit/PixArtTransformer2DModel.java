package io.gatun.models.dit;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.TimestepEmbedding;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/// PixArt's transformer (Chen et al. 2023, "PixArt-alpha", arXiv:2310.00426; 2024, "PixArt-Sigma",
/// arXiv:2403.04692), which predicts the noise in latents: all blocks share one modulation by the
/// time (adaLN-single), and see the text by cross-attention.
public final class PixArtTransformer2DModel {
  private static final int SINUSOIDS = 256;

  private final PixArtConfig config;
  private final ConvWeight posEmbedProj;
  private final SinCosPositions positions;
  private final TimestepEmbedding timestepEmbedder;
  private final TimestepEmbedding resolutionEmbedder;
  private final TimestepEmbedding aspectRatioEmbedder;
  private final LinearWeight adalnSingle;
  private final LinearWeight captionProjection1;
  private final LinearWeight captionProjection2;
  private final List<PixArtBlock> transformerBlocks = new ArrayList<>();
  private final float[] scaleShiftTable;
  private final LinearWeight projOut;

  /// What is the same in all steps: the text's keys and values (S, 2 D) in each block.
  public record Caption(List<Tensor> keysAndValues) {}

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public PixArtTransformer2DModel(PixArtConfig config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.reason());
    int d = config.width();
    int p = config.patchSize();
    posEmbedProj =
        weights.conv("pos_embed.proj", d, config.inChannels(), p, p, ConvWeight.Padding.of(0));
    positions = new SinCosPositions(config.sampleSize() / p, config.interpolationScale());
    var emb = weights.at("adaln_single.emb");
    timestepEmbedder = new TimestepEmbedding(emb.at("timestep_embedder"), SINUSOIDS, 0, d);
    boolean sizes = config.useAdditionalConditions();
    resolutionEmbedder = sizes ? size(emb.at("resolution_embedder"), d) : null;
    aspectRatioEmbedder = sizes ? size(emb.at("aspect_ratio_embedder"), d) : null;
    adalnSingle = weights.linear("adaln_single.linear", 6L * d, d);
    captionProjection1 = weights.linear("caption_projection.linear_1", d, config.captionChannels());
    captionProjection2 = weights.linear("caption_projection.linear_2", d, d);
    for (int i = 0; i < config.numLayers(); i++) {
      transformerBlocks.add(new PixArtBlock(config, weights.at("transformer_blocks", i)));
    }
    scaleShiftTable = weights.tensor("scale_shift_table", 2, d).toFloats();
    projOut = weights.linear("proj_out", (long) p * p * config.outChannels(), d);
  }

  /// A third of the width each for height, width and aspect ratio.
  private static TimestepEmbedding size(Weights weights, int d) {
    return new TimestepEmbedding(weights, SINUSOIDS, 0, d / 3);
  }

  public PixArtConfig config() {
    return config;
  }

  /// Makes what is the same in all steps. It lies in the workspace, for as long as the scope stays
  /// open that is open now.
  ///
  /// @param states the text's hidden states (S, captionChannels) of any plain type
  public Caption caption(Functional f, Tensor states, BiConsumer<String, Tensor> probe) {
    var wide = f.linear(f.cast(states), captionProjection1, Epilogue.of(Activation.GELU_TANH));
    var caption = f.linear(wide, captionProjection2); // (S, D)
    probe.accept("caption_projection", caption);
    return new Caption(transformerBlocks.stream().map(b -> b.keysAndValues(f, caption)).toList());
  }

  /// The predicted noise, and perhaps its variance, in latents at a time.
  ///
  ///     modulation = linear(silu(time));  x = patches(sample) + positions
  ///     x = block(x, modulation, caption) for each block
  ///     projOut(norm(x) * (1 + scale) + shift)
  ///
  /// @param sample latents (H, W, C), F32
  /// @param timestep 0 (no noise) to 1000
  /// @param height of the image in pixels
  /// @param width of the image in pixels
  /// @param probe is shown what each part gives, by its name
  /// @return (H, W, outChannels), F32
  public Tensor forward(
      Functional f,
      Tensor sample,
      double timestep,
      double height,
      double width,
      Caption caption,
      BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          int d = config.width();
          var time = time(f, timestep, height, width); // (1, D)
          var modulation = f.linear(f.activate(time, Activation.SILU), adalnSingle); // (1, 6 D)
          probe.accept("adaln_single.modulation", modulation);
          var patches =
              f.conv2d(
                  f.cast(sample.reshape(1, sample.dim(0), sample.dim(1), sample.dim(2))),
                  posEmbedProj);
          long rows = patches.dim(1);
          long columns = patches.dim(2);
          var x =
              f.add(
                  patches.reshape(rows * columns, d),
                  positions.forward(f, rows, columns, d)); // (T, D)
          probe.accept("pos_embed", x);
          float[] shared = f.toF32(modulation).toFloats();
          for (int i = 0; i < transformerBlocks.size(); i++) {
            String name = "transformer_blocks." + i;
            x =
                transformerBlocks
                    .get(i)
                    .forward(
                        f,
                        x,
                        shared,
                        caption.keysAndValues.get(i),
                        (part, y) -> probe.accept(name + part, y));
            probe.accept(name, x);
          }
          float[] values = sum(scaleShiftTable, f.toF32(f.concat(time, time)).toFloats());
          var out = Modulation.ofShiftScale(f, values);
          var tokens = f.toF32(f.linear(out.norm(f, x), projOut)); // (T, P P C)
          return new Patches(config.patchSize(), false)
              .join(f, tokens, sample.dim(0), sample.dim(1));
        });
  }

  /// timestepEmbedder(t) + [resolution(height), resolution(width), aspectRatio(height / width)]
  private Tensor time(Functional f, double timestep, double height, double width) {
    var time = timestepEmbedder.forward(f, sinusoids(f, timestep), null);
    if (resolutionEmbedder == null) {
      return time;
    }
    var sizes = resolutionEmbedder.forward(f, sinusoids(f, height, width), null); // (2, D / 3)
    var ratio = aspectRatioEmbedder.forward(f, sinusoids(f, height / width), null);
    return f.add(time, f.concat(sizes.reshape(1, sizes.size()), ratio));
  }

  private static Tensor sinusoids(Functional f, double... values) {
    return TimestepEmbedding.sinusoids(f, values, SINUSOIDS, true, 0);
  }

  static float[] sum(float[] a, float[] b) {
    var out = new float[a.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = a[i] + b[i];
    }
    return out;
  }
}
