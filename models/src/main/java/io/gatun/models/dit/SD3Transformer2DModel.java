package io.gatun.models.dit;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/// The transformer of Stable Diffusion 3 and 3.5 (Esser et al. 2024, "Scaling Rectified Flow
/// Transformers for High-Resolution Image Synthesis", arXiv:2403.03206), which predicts the
/// velocity from an image to noise.
public final class SD3Transformer2DModel {
  private final SD3Config config;
  private final ConvWeight posEmbedProj;
  private final Tensor posEmbed;
  private final TimeTextEmbedding timeTextEmbed;
  private final LinearWeight contextEmbedder;
  private final List<JointTransformerBlock> transformerBlocks = new ArrayList<>();
  private final List<AdaLayerNorm> norm1 = new ArrayList<>();
  private final List<AdaLayerNorm> norm1Context = new ArrayList<>();
  private final LastLayer lastLayer;

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public SD3Transformer2DModel(SD3Config config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.reason());
    int d = config.width();
    int p = config.patchSize();
    int places = config.posEmbedMaxSize() * config.posEmbedMaxSize();
    posEmbedProj =
        weights.conv("pos_embed.proj", d, config.inChannels(), p, p, ConvWeight.Padding.of(0));
    posEmbed = weights.tensor("pos_embed.pos_embed", 1, places, d).reshape(places, d);
    timeTextEmbed =
        new TimeTextEmbedding(
            weights.at("time_text_embed"), config.pooledProjectionDim(), d, false);
    contextEmbedder = weights.linear("context_embedder", d, config.jointAttentionDim());
    for (int i = 0; i < config.numLayers(); i++) {
      boolean last = i == config.numLayers() - 1;
      boolean dual = config.dualAttentionLayers().contains(i);
      var block = weights.at("transformer_blocks", i);
      int heads = config.numAttentionHeads();
      norm1.add(AdaLayerNorm.ofParts(block.at("norm1"), d, dual ? 3 : 2));
      norm1Context.add(
          last
              ? AdaLayerNorm.ofScaleShift(block.at("norm1_context"), d)
              : AdaLayerNorm.ofParts(block.at("norm1_context"), d, 2));
      transformerBlocks.add(
          new JointTransformerBlock(
              new JointAttention(block.at("attn"), d, heads, true, config.qkNorm(), !last),
              dual ? new ImageAttention(block.at("attn2"), d, heads, config.qkNorm()) : null,
              new FeedForward(block.at("ff"), d),
              last ? null : new FeedForward(block.at("ff_context"), d)));
    }
    lastLayer =
        new LastLayer(
            weights.linear("norm_out.linear", 2L * d, d),
            weights.linear("proj_out", (long) p * p * config.outChannels(), d));
  }

  public SD3Config config() {
    return config;
  }

  /// The predicted velocity in latents at a time.
  ///
  ///     temb = time(t) + text(pooled);  c = contextEmbedder(states)
  ///     x = patches(sample) + positions;  c, x = block(c, x, temb) for each block
  ///     projOut(norm(x) * (1 + scale) + shift)
  ///
  /// @param sample latents (H, W, C), F32
  /// @param timestep 0 (no noise) to 1000
  /// @param states the text's hidden states (S, jointAttentionDim) of any plain type
  /// @param pooled the text's embedding (1, pooledProjectionDim) of any plain type
  /// @param probe is shown what each part gives, by its name
  /// @return (H, W, outChannels), F32
  /// @throws IllegalArgumentException if the image is larger than there are positions
  public Tensor forward(
      Functional f,
      Tensor sample,
      double timestep,
      Tensor states,
      Tensor pooled,
      BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var temb = timeTextEmbed.forward(f, timestep, 0, pooled); // (1, D)
          probe.accept("time_text_embed", temb);
          var silu = f.activate(temb, Activation.SILU);
          var context = f.linear(f.cast(states), contextEmbedder); // (S, D)
          probe.accept("context_embedder", context);
          var x = patches(f, sample);
          probe.accept("pos_embed", x);
          long text = context.dim(0);
          var tokens = Rows.join(f, context, x); // (S + T, D)
          for (int i = 0; i < transformerBlocks.size(); i++) {
            String name = "transformer_blocks." + i;
            var before = tokens;
            int block = i;
            tokens =
                Scoped.call(
                    f,
                    () ->
                        transformerBlocks
                            .get(block)
                            .forward(
                                f,
                                before,
                                text,
                                norm1Context.get(block).of(f, silu),
                                norm1.get(block).of(f, silu),
                                null,
                                (part, y) -> probe.accept(name + part, y)));
          }
          var out = lastLayer.forward(f, tokens, silu, probe);
          return new Patches(config.patchSize(), false).join(f, out, sample.dim(0), sample.dim(1));
        });
  }

  /// Patches (T, D) and their places in the middle of the table's.
  private Tensor patches(Functional f, Tensor sample) {
    var image = f.cast(sample.reshape(1, sample.dim(0), sample.dim(1), sample.dim(2)));
    var patches = f.conv2d(image, posEmbedProj);
    int rows = (int) patches.dim(1);
    int columns = (int) patches.dim(2);
    int most = config.posEmbedMaxSize();
    if (rows > most || columns > most) {
      throw new IllegalArgumentException(
          "latents are %s; the model has positions for %d rows and columns of them"
              .formatted(sample.shape(), most * config.patchSize()));
    }
    int[] places = new int[rows * columns];
    for (int i = 0; i < places.length; i++) {
      int y = (most - rows) / 2 + i / columns;
      places[i] = y * most + (most - columns) / 2 + i % columns;
    }
    return f.add(patches.reshape(places.length, config.width()), f.embedding(places, posEmbed));
  }
}
