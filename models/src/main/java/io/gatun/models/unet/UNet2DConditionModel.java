package io.gatun.models.unet;

import io.gatun.models.nn.GroupNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.Stream;

/// The UNet that predicts the noise in latents, given a time and a text: of Stable Diffusion 1, 2
/// and SDXL.
///
/// ```java
/// try (var image = f.scope()) {
///   var conditioning = unet.condition(f, context, AddedConditions.NONE);
///   for (double t : timesteps) {
///     try (var step = f.scope()) {
///       Tensor noise = unet.forward(f, latents, t, conditioning);
///       ...
/// ```
public final class UNet2DConditionModel {
  private final UNet2DConditionConfig config;
  private final DownPath down;
  private final List<UpBlock2D> upBlocks = new ArrayList<>();
  private final GroupNorm convNormOut;
  private final ConvWeight convOut;

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public UNet2DConditionModel(UNet2DConditionConfig config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.reason());
    down = new DownPath(config, weights);
    for (int i = 0; i < config.blockOutChannels().size(); i++) {
      upBlocks.add(new UpBlock2D(config, weights.at("up_blocks", i), i));
    }
    int width = config.blockOutChannels().getFirst();
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
  public Conditioning condition(Functional f, Tensor context, AddedConditions added) {
    var attentions =
        Stream.concat(
            down.crossAttentions(), upBlocks.stream().flatMap(UpBlock2D::crossAttentions));
    return down.condition(f, attentions.toList(), context, added);
  }

  /// The predicted noise (or velocity, as the model was trained) in latents at a time.
  ///
  /// @param sample latents (B, H, W, in_channels), F32
  /// @param timestep 0 (no noise) to 1000, which need not be whole
  /// @return (B, H, W, out_channels), F32
  public Tensor forward(Functional f, Tensor sample, double timestep, Conditioning conditioning) {
    return forward(f, sample, timestep, conditioning, null, (name, x) -> {});
  }

  /// As [#forward(Functional, Tensor, double, Conditioning)], with what ControlNets add, and showing
  /// `probe` what each block gives, by its name.
  ///
  ///     temb = timeEmbedding(sinusoids(t)) + added
  ///     x = convIn(sample);  x = down(x)...;  x = mid(x)
  ///     skips += residuals;  x += the last residual
  ///     x = up([x, skip])...;  convOut(silu(norm(x)))
  ///
  /// @param residuals null for none
  public Tensor forward(
      Functional f,
      Tensor sample,
      double timestep,
      Conditioning conditioning,
      ControlResiduals residuals,
      BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var temb = down.timeEmbedding(f, timestep, conditioning, probe); // (B, E)
          var skips = new ArrayList<Tensor>();
          var x = down.convIn(f, sample, conditioning); // (B, H, W, C)
          x = down.forward(f, x, temb, conditioning, skips, probe);
          if (residuals != null) {
            x = residuals.addTo(f, x, skips);
          }
          for (int i = 0; i < upBlocks.size(); i++) {
            x = upBlocks.get(i).forward(f, x, temb, conditioning, skips);
            probe.accept("up_blocks." + i, x);
          }
          x = convNormOut.forward(f, x, Activation.SILU);
          return f.toF32(f.conv2d(x, convOut));
        });
  }
}
