package io.gatun.models.unet;

import io.gatun.models.nn.TimestepEmbedding;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.Stream;

/// The first half of a UNet, of which a ControlNet is a copy: embeddings, the first convolution,
/// the blocks down and the one in the middle.
final class DownPath {
  private final UNet2DConditionConfig config;
  private final TimestepEmbedding timeEmbedding;
  private final TimestepEmbedding addEmbedding;
  private final Tensor classEmbedding;
  private final ConvWeight convIn;
  private final List<DownBlock2D> downBlocks = new ArrayList<>();
  private final UNetMidBlock2D midBlock;

  DownPath(UNet2DConditionConfig config, Weights weights) {
    this.config = config;
    int width = config.blockOutChannels().getFirst();
    int e = config.timeEmbeddingDim();
    timeEmbedding =
        new TimestepEmbedding(weights.at("time_embedding"), width, config.timeCondProjDim(), e);
    addEmbedding =
        config.hasTextTime()
            ? new TimestepEmbedding(
                weights
                    .because(
                        "projection_class_embeddings_input_dim=%d in config.json"
                            .formatted(config.projectionClassEmbeddingsInputDim()))
                    .at("add_embedding"),
                config.projectionClassEmbeddingsInputDim(),
                0,
                e)
            : null;
    classEmbedding =
        config.numClassEmbeds() > 0
            ? weights.tensor("class_embedding.weight", config.numClassEmbeds(), e)
            : null;
    convIn = weights.conv("conv_in", width, config.inChannels(), config.convInKernel());
    for (int i = 0; i < config.blockOutChannels().size(); i++) {
      downBlocks.add(new DownBlock2D(config, weights.at("down_blocks", i), i));
    }
    midBlock =
        config.midBlockType() == null ? null : new UNetMidBlock2D(config, weights.at("mid_block"));
  }

  Stream<CrossAttention> crossAttentions() {
    return Stream.concat(
        downBlocks.stream().flatMap(DownBlock2D::crossAttentions),
        midBlock == null ? Stream.empty() : midBlock.crossAttentions());
  }

  /// See [UNet2DConditionModel#condition].
  Conditioning condition(
      Functional f, List<CrossAttention> attentions, Tensor context, AddedConditions added) {
    int batch = Math.toIntExact(context.dim(0));
    var embeddings = new Embeddings(config, f, batch);
    var text = f.cast(context);
    // Their weights are read once for all steps: to pack them would take room from those of each.
    var once = new Functional(f.ops(), f.dtype());
    once.packingBudget(0);
    Map<CrossAttention, Tensor> keysAndValues = new HashMap<>();
    attentions.forEach(a -> keysAndValues.put(a, a.keysAndValues(once, text)));
    once.releaseWeights();
    return new Conditioning(
        batch,
        keysAndValues,
        embeddings.added(added, addEmbedding, classEmbedding),
        embeddings.guidance(added));
  }

  /// silu of the time embedding (B, E), which is all that residual blocks want of it.
  Tensor timeEmbedding(
      Functional f, double timestep, Conditioning conditioning, BiConsumer<String, Tensor> probe) {
    var t = new double[conditioning.batch()];
    Arrays.fill(t, timestep);
    var proj =
        TimestepEmbedding.sinusoids(
            f,
            t,
            config.blockOutChannels().getFirst(),
            config.flipSinToCos(),
            config.freqShift()); // (B, C)
    probe.accept("time_proj", proj);
    var emb = timeEmbedding.forward(f, proj, conditioning.guidance()); // (B, E)
    probe.accept("time_embedding", emb);
    return f.activate(
        conditioning.embedding() == null ? emb : f.add(emb, conditioning.embedding()),
        Activation.SILU);
  }

  /// The first convolution's result (B, H, W, C).
  Tensor convIn(Functional f, Tensor sample, Conditioning conditioning) {
    if (sample.shape().rank() != 4
        || sample.dim(0) != conditioning.batch()
        || sample.dim(3) != config.inChannels()) {
      throw new IllegalArgumentException(
          "latents are %s; need (%d, H, W, %d): as many images as texts, in_channels=%d"
              .formatted(
                  sample.shape(), conditioning.batch(), config.inChannels(), config.inChannels()));
    }
    return f.conv2d(f.cast(sample), convIn);
  }

  /// What the middle gives, of the first convolution's result.
  ///
  /// @param skips takes `x`, and what each layer on the way down gives
  Tensor forward(
      Functional f,
      Tensor x,
      Tensor temb,
      Conditioning conditioning,
      List<Tensor> skips,
      BiConsumer<String, Tensor> probe) {
    skips.add(x);
    probe.accept("conv_in", x);
    var h = x;
    for (int i = 0; i < downBlocks.size(); i++) {
      h = downBlocks.get(i).forward(f, h, temb, conditioning, skips);
      probe.accept("down_blocks." + i, h);
    }
    if (midBlock != null) {
      h = midBlock.forward(f, h, temb, conditioning);
      probe.accept("mid_block", h);
    }
    return h;
  }
}
