package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.ClipTokenizer;
import io.gatun.models.diffusion.schedulers.FlowTimes;
import io.gatun.models.dit.FluxConfig;
import io.gatun.models.dit.FluxTransformer2DModel;
import io.gatun.tensor.ops.Functional;
import java.util.List;
import java.util.Set;

/// FLUX.1: T5 for the text's states, CLIP for its embedding, and a transformer that was distilled
/// to guide by itself (dev), or to need no guidance and few steps (schnell).
final class FluxPipeline implements TransformerPipeline {
  static final Set<String> CLASS_NAMES = Set.of("FluxPipeline");

  private static final int DEV_TOKENS = 512;
  private static final int SCHNELL_TOKENS = 256;
  private static final int SAMPLE_SIZE = 128;
  private static final int PATCH = 2;

  private final ClipTokenizer tokenizer;
  private final CLIPTextModel encoder;
  private final T5Conditions t5;
  private final FluxTransformer2DModel transformer;

  FluxPipeline(PipelineParts parts) {
    var files = parts.files();
    tokenizer = ClipConditions.tokenizer(files, "tokenizer", false);
    encoder =
        new CLIPTextModel(
            CLIPTextConfig.of(files.config("text_encoder")),
            parts.weights().apply("text_encoder", parts.once()));
    t5 = new T5Conditions(parts, "text_encoder_2", "tokenizer_2");
    var keys = files.config("transformer");
    var config = FluxConfig.of(keys);
    int latents = PATCH * PATCH * parts.latentChannels();
    int pooled = encoder.config().hiddenSize();
    if (config.inChannels() != latents
        || config.pooledProjectionDim() != pooled
        || config.jointAttentionDim() != t5.width()) {
      throw new CheckpointException(
          "%s: \"in_channels\" is %d, \"pooled_projection_dim\" %d, \"joint_attention_dim\" %d; patches of the autoencoder's latents have %d channels, CLIP's states %d, T5's %d"
              .formatted(
                  keys.where(),
                  config.inChannels(),
                  config.pooledProjectionDim(),
                  config.jointAttentionDim(),
                  latents,
                  pooled,
                  t5.width()));
    }
    var weights = parts.weights().apply("transformer", parts.network());
    transformer = new FluxTransformer2DModel(config, weights);
  }

  private boolean isDev() {
    return transformer.config().guidanceEmbeds();
  }

  @Override
  public List<Condition> encode(Functional f, List<String> prompts, Reading how) {
    how.requireNoClip();
    int most = isDev() ? DEV_TOKENS : SCHNELL_TOKENS;
    int tokens = how.maxTokens() == 0 ? most : how.maxTokens();
    return prompts.stream().map(prompt -> encode(f, prompt, tokens)).toList();
  }

  private Condition encode(Functional f, String prompt, int tokens) {
    try (var _ = f.scope()) {
      float[] pooled = f.toF32(encoder.pooledOutput(f, tokenizer.encode(prompt).ids())).toFloats();
      var states = t5.padded(f, prompt, tokens);
      return new Condition(states.states(), tokens, states.width(), pooled);
    }
  }

  @Override
  public Conditioned condition(Functional f, Wanted wanted) {
    return (latents, now) ->
        OneByOne.predict(
            f,
            wanted.size(),
            wanted.conditions(),
            latents,
            (sample, text) ->
                transformer.forward(
                    f,
                    sample,
                    now.timestep(),
                    wanted.guidance(),
                    text.statesIn(f),
                    text.pooledIn(f),
                    (name, x) -> {}));
  }

  /// One that guides by itself is told how strongly, and others do not want to be guided.
  @Override
  public boolean guides(double guidance) {
    return false;
  }

  @Override
  public boolean takesNegative() {
    return false;
  }

  @Override
  public FlowTimes flowTimes(LatentSize size, int steps) {
    return new FlowTimes(size.height() / PATCH * (size.width() / PATCH), true, Double.NaN);
  }

  @Override
  public int width() {
    return transformer.config().width();
  }

  @Override
  public Defaults defaults() {
    return isDev() ? new Defaults(28, 3.5) : new Defaults(4, 0);
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
