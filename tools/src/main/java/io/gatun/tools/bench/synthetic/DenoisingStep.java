package io.gatun.tools.bench.synthetic;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.dit.Flux2Config;
import io.gatun.models.dit.Flux2Transformer2DModel;
import io.gatun.models.dit.FluxConfig;
import io.gatun.models.dit.FluxTransformer2DModel;
import io.gatun.models.dit.PixArtConfig;
import io.gatun.models.dit.PixArtTransformer2DModel;
import io.gatun.models.dit.SD3Config;
import io.gatun.models.dit.SD3Transformer2DModel;
import io.gatun.models.dit.ZImageConfig;
import io.gatun.models.dit.ZImageTransformer2DModel;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.unet.AddedConditions;
import io.gatun.models.unet.UNet2DConditionConfig;
import io.gatun.models.unet.UNet2DConditionModel;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/// A step of a text-to-image model's network, on random latents and a random text.
///
/// @param images how many it makes at once: two for a UNet, which sees an image with and without
///   the prompt, one for a transformer
/// @param pixels the side of the images that the model was trained on
public record DenoisingStep(int images, int pixels, Network network) {
  /// A network and how it is told of a text.
  interface Network {
    /// Makes what is the same in all steps. It lies in the workspace, in the scope that is open.
    ///
    /// @param sample latents (H, W, C), or of several images (B, H, W, C)
    Supplier<Tensor> step(Functional f, Tensor sample);
  }

  private static final double TIMESTEP = 500;
  private static final int PIXELS_OF_LATENT = 8;
  private static final int LARGE = 1024;

  /// How many tokens their pipelines give the networks.
  private static final int CLIP_TOKENS = 77;

  private static final int PIXART_TOKENS = 120;
  private static final int SD3_TOKENS = CLIP_TOKENS + 256;
  private static final int FLUX_TOKENS = 512;

  /// Of a prompt of some sentences, which is not filled up.
  private static final int Z_IMAGE_TOKENS = 100;

  /// The name of the network's part.
  public static String part(PipelineFiles files) {
    return files.has("unet") ? "unet" : "transformer";
  }

  /// The step of a pipeline's network.
  ///
  /// @throws CheckpointException if it is none that Gatun runs
  public static DenoisingStep of(PipelineFiles files, Weights weights) {
    var keys = files.config(part(files));
    return files.has("unet") ? unet(keys, weights) : transformer(keys, weights);
  }

  static DenoisingStep unet(JsonKeys keys, Weights weights) {
    var unet = new UNet2DConditionModel(UNet2DConditionConfig.of(keys), weights);
    var config = unet.config();
    return new DenoisingStep(
        2,
        config.hasTextTime() ? LARGE : LARGE / 2,
        (f, sample) -> {
          long batch = sample.dim(0);
          var context = random(f, batch, CLIP_TOKENS, config.crossAttentionDim().getFirst());
          var added = AddedConditions.NONE;
          if (config.hasTextTime()) {
            int sizes = 6;
            int embeds =
                config.projectionClassEmbeddingsInputDim() - sizes * config.additionTimeEmbedDim();
            added =
                AddedConditions.textTime(
                    random(f, batch, embeds), new double[Math.toIntExact(batch)][sizes]);
          }
          var conditioning = unet.condition(f, context, added);
          return () -> unet.forward(f, sample, TIMESTEP, conditioning);
        });
  }

  static DenoisingStep transformer(JsonKeys keys, Weights weights) {
    String name = keys.text("_class_name", "");
    return switch (name) {
      case "PixArtTransformer2DModel" -> {
        var config = PixArtConfig.of(keys);
        var network = new PixArtTransformer2DModel(config, weights);
        int pixels = config.sampleSize() * PIXELS_OF_LATENT;
        yield new DenoisingStep(
            1,
            pixels,
            (f, x) -> {
              var text = random(f, PIXART_TOKENS, config.captionChannels());
              var caption = network.caption(f, text, DenoisingStep::unseen);
              return () ->
                  network.forward(f, x, TIMESTEP, pixels, pixels, caption, DenoisingStep::unseen);
            });
      }
      case "SD3Transformer2DModel" -> {
        var config = SD3Config.of(keys);
        var network = new SD3Transformer2DModel(config, weights);
        yield new DenoisingStep(
            1,
            config.sampleSize() * PIXELS_OF_LATENT,
            (f, x) -> {
              var text = random(f, SD3_TOKENS, config.jointAttentionDim());
              var pooled = random(f, 1, config.pooledProjectionDim());
              return () -> network.forward(f, x, TIMESTEP, text, pooled, DenoisingStep::unseen);
            });
      }
      case "FluxTransformer2DModel" -> {
        var config = FluxConfig.of(keys);
        var network = new FluxTransformer2DModel(config, weights);
        yield new DenoisingStep(
            1,
            LARGE,
            (f, x) -> {
              var text = random(f, FLUX_TOKENS, config.jointAttentionDim());
              var pooled = random(f, 1, config.pooledProjectionDim());
              return () -> network.forward(f, x, TIMESTEP, 1, text, pooled, DenoisingStep::unseen);
            });
      }
      case "Flux2Transformer2DModel" -> {
        var config = Flux2Config.of(keys);
        var network = new Flux2Transformer2DModel(config, weights);
        yield new DenoisingStep(
            1,
            LARGE,
            (f, x) -> {
              var text = random(f, FLUX_TOKENS, config.jointAttentionDim());
              return () -> network.forward(f, x, List.of(), TIMESTEP, text, DenoisingStep::unseen);
            });
      }
      case "ZImageTransformer2DModel" -> {
        var config = ZImageConfig.of(keys);
        var network = new ZImageTransformer2DModel(config, weights);
        yield new DenoisingStep(
            1,
            LARGE,
            (f, x) -> {
              var text = random(f, Z_IMAGE_TOKENS, config.capFeatDim());
              var caption = network.caption(f, text, DenoisingStep::unseen);
              return () -> network.forward(f, x, TIMESTEP, caption, DenoisingStep::unseen);
            });
      }
      default ->
          throw new CheckpointException(
              "%s: \"_class_name\" is \"%s\", which is no network that Gatun runs"
                  .formatted(keys.where(), name));
    };
  }

  /// The step for images of so many latents a side.
  public Supplier<Tensor> step(Functional f, int latents, int channels) {
    return network.step(
        f,
        images == 1
            ? random(f, latents, latents, channels)
            : random(f, images, latents, latents, channels));
  }

  /// Takes what a part of a network gives, which nobody wants to see.
  private static void unseen(String part, Tensor x) {}

  /// Normally distributed values, F32, in the workspace.
  public static Tensor random(Functional f, long... dims) {
    var random = new SplittableRandom(1);
    var x = f.ops().empty(dims);
    for (long i = 0; i < x.size(); i++) {
      x.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return x;
  }
}
