package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.schedulers.FlowTimes;
import io.gatun.models.dit.ZImageConfig;
import io.gatun.models.dit.ZImageTransformer2DModel;
import io.gatun.tensor.ops.Functional;
import java.util.List;
import java.util.Set;

/// Z-Image and Z-Image-Turbo: a language model's states before its last layer, and a transformer
/// that reads text and image as one sequence.
final class ZImagePipeline implements TransformerPipeline {
  static final Set<String> CLASS_NAMES = Set.of("ZImagePipeline");

  private static final int TOKENS = 512;
  private static final int SAMPLE_SIZE = 128;
  private static final int PATCH = 2;

  private final QwenConditions text;
  private final ZImageTransformer2DModel transformer;

  ZImagePipeline(PipelineParts parts) {
    text = new QwenConditions(parts);
    var keys = parts.files().config("transformer");
    var config = ZImageConfig.of(keys);
    if (config.inChannels() != parts.latentChannels() || config.capFeatDim() != text.width()) {
      throw new CheckpointException(
          "%s: \"in_channels\" is %d, \"cap_feat_dim\" %d; the autoencoder's latents have %d channels, the text encoder's states %d"
              .formatted(
                  keys.where(),
                  config.inChannels(),
                  config.capFeatDim(),
                  parts.latentChannels(),
                  text.width()));
    }
    var weights = parts.weights().apply("transformer", parts.network());
    transformer = new ZImageTransformer2DModel(config, weights);
  }

  @Override
  public List<Condition> encode(Functional f, List<String> prompts, Reading how) {
    how.requireNoClip();
    int most = how.maxTokens() == 0 ? TOKENS : how.maxTokens();
    return prompts.stream().map(p -> text.states(f, p, most, text.layers() - 1)).toList();
  }

  @Override
  public Conditioned condition(Functional f, Wanted wanted) {
    var captions =
        wanted.conditions().stream()
            .map(c -> transformer.caption(f, c.statesIn(f), (name, x) -> {}))
            .toList();
    return (latents, now) ->
        negated(
            OneByOne.predict(
                f,
                wanted.size(),
                captions,
                latents,
                (sample, caption) ->
                    transformer.forward(f, sample, now.timestep(), caption, (name, x) -> {})));
  }

  /// The velocity from an image to noise, which is what schedulers follow.
  private static float[] negated(float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = -values[i];
    }
    return values;
  }

  /// Z-Image counts from 0, for no guidance.
  @Override
  public boolean guides(double guidance) {
    return guidance > 0;
  }

  @Override
  public Guidance guidance(double scale, double image) {
    return Guidance.classifierFree(scale + 1);
  }

  @Override
  public FlowTimes flowTimes(LatentSize size, int steps) {
    return new FlowTimes(size.height() / PATCH * (size.width() / PATCH), true, Double.NaN);
  }

  @Override
  public int width() {
    return transformer.config().dim();
  }

  /// Turbo's.
  @Override
  public Defaults defaults() {
    return new Defaults(9, 0);
  }

  @Override
  public int sampleSize() {
    return SAMPLE_SIZE;
  }

  @Override
  public int multiple() {
    return PATCH;
  }
}
