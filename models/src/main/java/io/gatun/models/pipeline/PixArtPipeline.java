package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.dit.PixArtConfig;
import io.gatun.models.dit.PixArtTransformer2DModel;
import io.gatun.tensor.ops.Functional;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// PixArt-alpha and PixArt-Sigma: T5, and a transformer that sees its states by cross-attention.
final class PixArtPipeline implements TransformerPipeline {
  private static final String ALPHA = "PixArtAlphaPipeline";

  static final Set<String> CLASS_NAMES = Set.of(ALPHA, "PixArtSigmaPipeline");

  private static final int ALPHA_TOKENS = 120;
  private static final int SIGMA_TOKENS = 300;

  private final int tokens;
  private final T5Conditions t5;
  private final PixArtTransformer2DModel transformer;

  PixArtPipeline(PipelineParts parts) {
    var files = parts.files();
    tokens = files.index().text("_class_name", "").equals(ALPHA) ? ALPHA_TOKENS : SIGMA_TOKENS;
    t5 = new T5Conditions(parts, "text_encoder", "tokenizer");
    var keys = files.config("transformer");
    var config = PixArtConfig.of(keys);
    int latents = parts.latentChannels();
    if (config.inChannels() != latents
        || (config.outChannels() != latents && config.outChannels() != 2 * latents)
        || config.captionChannels() != t5.width()) {
      throw new CheckpointException(
          "%s: \"in_channels\" is %d, \"out_channels\" %d, \"caption_channels\" %d; the autoencoder's latents have %d channels, the text encoder's states %d"
              .formatted(
                  keys.where(),
                  config.inChannels(),
                  config.outChannels(),
                  config.captionChannels(),
                  latents,
                  t5.width()));
    }
    var weights = parts.weights().apply("transformer", parts.network());
    transformer = new PixArtTransformer2DModel(config, weights);
  }

  /// The model was trained on captions in lower case.
  @Override
  public List<Condition> encode(Functional f, List<String> prompts, Reading how) {
    how.requireNoClip();
    int most = how.maxTokens() == 0 ? tokens : how.maxTokens();
    return prompts.stream()
        .map(prompt -> t5.unpadded(f, prompt.toLowerCase(Locale.ROOT).strip(), most))
        .toList();
  }

  @Override
  public Conditioned condition(Functional f, Wanted wanted) {
    var size = wanted.size();
    var captions =
        wanted.conditions().stream()
            .map(c -> transformer.caption(f, c.statesIn(f), (name, x) -> {}))
            .toList();
    double height = (double) size.height() * size.factor();
    double width = (double) size.width() * size.factor();
    return (latents, now) ->
        OneByOne.predict(
            f,
            size,
            captions,
            latents,
            (sample, caption) ->
                transformer
                    .forward(f, sample, now.timestep(), height, width, caption, (name, x) -> {})
                    .slice(2, 0, size.channels())); // the noise, without its variance
  }

  @Override
  public Defaults defaults() {
    return new Defaults(20, 4.5);
  }

  @Override
  public int sampleSize() {
    return transformer.config().sampleSize();
  }

  @Override
  public int multiple() {
    return transformer.config().patchSize();
  }
}
