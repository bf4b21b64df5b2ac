package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModelWithProjection;
import io.gatun.models.clip.ClipTokenizer;
import io.gatun.models.diffusion.schedulers.FlowTimes;
import io.gatun.models.dit.SD3Config;
import io.gatun.models.dit.SD3Transformer2DModel;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/// Stable Diffusion 3 and 3.5: two CLIP text encoders, perhaps T5, and a transformer that reads
/// their states one after the other.
final class StableDiffusion3Pipeline implements TransformerPipeline {
  static final Set<String> CLASS_NAMES = Set.of("StableDiffusion3Pipeline");

  private static final int T5_TOKENS = 256;

  private final ClipTokenizer tokenizer;
  private final ClipTokenizer tokenizer2;
  private final CLIPTextModelWithProjection encoder;
  private final CLIPTextModelWithProjection encoder2;
  private final T5Conditions t5;
  private final SD3Transformer2DModel transformer;

  StableDiffusion3Pipeline(PipelineParts parts) {
    var files = parts.files();
    tokenizer = ClipConditions.tokenizer(files, "tokenizer", false);
    tokenizer2 = ClipConditions.tokenizer(files, "tokenizer_2", true);
    encoder = clip(parts, "text_encoder");
    encoder2 = clip(parts, "text_encoder_2");
    t5 =
        files.has("text_encoder_3")
            ? new T5Conditions(parts, "text_encoder_3", "tokenizer_3")
            : null;
    var keys = files.config("transformer");
    var config = SD3Config.of(keys);
    int width = encoder.config().hiddenSize() + encoder2.config().hiddenSize();
    int pooled = encoder.config().projectionDim() + encoder2.config().projectionDim();
    int latents = parts.latentChannels();
    if (config.inChannels() != latents
        || config.outChannels() != latents
        || config.pooledProjectionDim() != pooled
        || config.jointAttentionDim() < width
        || (t5 != null && config.jointAttentionDim() != t5.width())) {
      throw new CheckpointException(
          "%s: \"in_channels\" is %d, \"out_channels\" %d, \"pooled_projection_dim\" %d, \"joint_attention_dim\" %d; the autoencoder's latents have %d channels, the text encoders' embeddings %d, their states %d%s"
              .formatted(
                  keys.where(),
                  config.inChannels(),
                  config.outChannels(),
                  config.pooledProjectionDim(),
                  config.jointAttentionDim(),
                  latents,
                  pooled,
                  width,
                  t5 == null ? "" : ", T5's " + t5.width()));
    }
    var weights = parts.weights().apply("transformer", parts.network());
    transformer = new SD3Transformer2DModel(config, weights);
  }

  private static CLIPTextModelWithProjection clip(PipelineParts parts, String part) {
    var config = CLIPTextConfig.of(parts.files().config(part));
    var weights = parts.weights().apply(part, parts.once());
    return new CLIPTextModelWithProjection(config, weights);
  }

  @Override
  public List<Condition> encode(Functional f, List<String> prompts, Reading how) {
    how.requireNoClip();
    int tokens = how.maxTokens() == 0 ? T5_TOKENS : how.maxTokens();
    return prompts.stream().map(prompt -> encode(f, prompt, tokens)).toList();
  }

  /// The states of both CLIPs before their last layers side by side, filled up with zeros to the
  /// width of T5's, which follow; zeros where there is no T5.
  private Condition encode(Functional f, String prompt, int t5Tokens) {
    try (var _ = f.scope()) {
      var one = encoder.forward(f, tokenizer.encode(prompt).ids(), 1);
      var two = encoder2.forward(f, tokenizer2.encode(prompt).ids(), 1);
      int width = transformer.config().jointAttentionDim();
      int tokens = (int) one.hidden().dim(1);
      var states = new float[(tokens + t5Tokens) * width];
      put(f, one.hidden(), states, width, 0);
      put(f, two.hidden(), states, width, encoder.config().hiddenSize());
      if (t5 != null) {
        float[] last = t5.padded(f, prompt, t5Tokens).states();
        System.arraycopy(last, 0, states, tokens * width, last.length);
      }
      float[] first = floats(f, one.textEmbeds());
      float[] second = floats(f, two.textEmbeds());
      float[] pooled = Arrays.copyOf(first, first.length + second.length);
      System.arraycopy(second, 0, pooled, first.length, second.length);
      return new Condition(states, tokens + t5Tokens, width, pooled);
    }
  }

  private static void put(Functional f, Tensor hidden, float[] states, int width, int column) {
    float[] values = floats(f, hidden);
    int own = (int) hidden.dim(2);
    for (int t = 0; t < values.length / own; t++) {
      System.arraycopy(values, t * own, states, t * width + column, own);
    }
  }

  private static float[] floats(Functional f, Tensor t) {
    return f.toF32(t).toFloats();
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
                    text.statesIn(f),
                    text.pooledIn(f),
                    (name, x) -> {}));
  }

  @Override
  public FlowTimes flowTimes(LatentSize size, int steps) {
    int patch = multiple();
    return new FlowTimes(size.height() / patch * (size.width() / patch), false, Double.NaN);
  }

  @Override
  public int width() {
    return transformer.config().width();
  }

  @Override
  public Defaults defaults() {
    return new Defaults(28, 7);
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
