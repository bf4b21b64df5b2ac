package io.gatun.models.unet;

import io.gatun.models.nn.GroupNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.TimestepEmbedding;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;

/// The UNet that predicts the noise in latents, given a time and a text: of Stable Diffusion 1, 2
/// and SDXL.
///
/// ```java
/// try (var image = f.scope()) {
///   var conditioning = unet.condition(context, AddedConditions.NONE);
///   for (double t : timesteps) {
///     try (var step = f.scope()) {
///       Tensor noise = unet.forward(latents, t, conditioning);
///       ...
/// ```
public final class UNet2DConditionModel {
  private final UNet2DConditionConfig config;
  private final Functional f;
  private final Functional once;
  private final Conditions conditions = new Conditions();
  private final TimestepEmbedding timeEmbedding;
  private final TimestepEmbedding addEmbedding;
  private final Tensor classEmbedding;
  private final ConvWeight convIn;
  private final List<DownBlock2D> downBlocks = new ArrayList<>();
  private final UNetMidBlock2D midBlock;
  private final List<UpBlock2D> upBlocks = new ArrayList<>();
  private final GroupNorm convNormOut;
  private final ConvWeight convOut;

  /// @param f the operations of every step, on activations of its type
  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public UNet2DConditionModel(UNet2DConditionConfig config, Weights checkpoint, Functional f) {
    this.config = config;
    this.f = f;
    once = new Functional(f.ops(), f.dtype());
    once.packingBudget(0);
    var weights = checkpoint.because(config.reason());
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
      downBlocks.add(new DownBlock2D(config, weights.at("down_blocks", i), i, conditions));
    }
    midBlock =
        config.midBlockType() == null
            ? null
            : new UNetMidBlock2D(config, weights.at("mid_block"), conditions);
    for (int i = 0; i < config.blockOutChannels().size(); i++) {
      upBlocks.add(new UpBlock2D(config, weights.at("up_blocks", i), i, conditions));
    }
    convNormOut =
        weights.groupNorm("conv_norm_out", config.normNumGroups(), width, config.normEps());
    convOut = weights.conv("conv_out", config.outChannels(), width, config.convOutKernel());
  }

  public UNet2DConditionConfig config() {
    return config;
  }

  /// Makes what is the same in all steps: the keys and values that the text has in every
  /// cross-attention, and the embedding of the added conditions. It lies in the workspace, for as
  /// long as the scope stays open that is open now.
  ///
  /// @param context the text's hidden states (B, S, D) of any plain type
  /// @throws IllegalArgumentException if a condition is missing that the network needs
  public Conditioning condition(Tensor context, AddedConditions added) {
    int batch = Math.toIntExact(context.dim(0));
    Embeddings embeddings = new Embeddings(config, f, batch);
    var text = f.cast(context);
    // Their weights are read once for all steps: to pack them would take room from those of each.
    var keysAndValues =
        conditions.attentions().stream().map(a -> a.keysAndValues(once, text)).toList();
    once.releaseWeights();
    return new Conditioning(
        batch,
        keysAndValues,
        embeddings.added(added, addEmbedding, classEmbedding),
        embeddings.guidance(added));
  }

  /// The predicted noise (or velocity, as the model was trained) in latents at a time.
  ///
  /// @param sample latents (B, H, W, in_channels), F32
  /// @param timestep 0 (no noise) to 1000, which need not be whole
  /// @return (B, H, W, out_channels), F32
  public Tensor forward(Tensor sample, double timestep, Conditioning conditioning) {
    return forward(sample, timestep, conditioning, (name, x) -> {});
  }

  /// As [#forward(Tensor, double, Conditioning)], showing `probe` what each block gives, by its
  /// name.
  ///
  ///     temb = timeEmbedding(sinusoids(t)) + added
  ///     x = convIn(sample);  x = down(x)...;  x = mid(x);  x = up([x, skip])...
  ///     convOut(silu(norm(x)))
  public Tensor forward(
      Tensor sample, double timestep, Conditioning conditioning, BiConsumer<String, Tensor> probe) {
    checkSample(sample, conditioning);
    return Scoped.call(
        f,
        () -> {
          var temb = timeEmbedding(timestep, conditioning, probe); // (B, E)
          var skips = new ArrayList<Tensor>();
          var x = f.conv2d(f.cast(sample), convIn); // (B, H, W, C)
          skips.add(x);
          probe.accept("conv_in", x);
          for (int i = 0; i < downBlocks.size(); i++) {
            x = downBlocks.get(i).forward(f, x, temb, conditioning, skips);
            probe.accept("down_blocks." + i, x);
          }
          if (midBlock != null) {
            x = midBlock.forward(f, x, temb, conditioning);
            probe.accept("mid_block", x);
          }
          for (int i = 0; i < upBlocks.size(); i++) {
            x = upBlocks.get(i).forward(f, x, temb, conditioning, skips);
            probe.accept("up_blocks." + i, x);
          }
          x = convNormOut.forward(f, x, Activation.SILU);
          return f.toF32(f.conv2d(x, convOut));
        });
  }

  private void checkSample(Tensor sample, Conditioning conditioning) {
    if (sample.shape().rank() != 4
        || sample.dim(0) != conditioning.batch()
        || sample.dim(3) != config.inChannels()) {
      throw new IllegalArgumentException(
          "latents are %s; need (%d, H, W, %d): as many images as texts, in_channels=%d"
              .formatted(
                  sample.shape(), conditioning.batch(), config.inChannels(), config.inChannels()));
    }
  }

  /// silu of the time embedding, which is all that residual blocks want of it.
  private Tensor timeEmbedding(
      double timestep, Conditioning conditioning, BiConsumer<String, Tensor> probe) {
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
}
