package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.schedulers.FlowTimes;
import io.gatun.models.dit.Flux2Config;
import io.gatun.models.dit.Flux2Transformer2DModel;
import io.gatun.models.qwen3.Qwen3Config;
import io.gatun.models.qwen3.Qwen3TextModel;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/// FLUX.2 klein: three inner layers' states of a language model, of the text and of padding, and a
/// transformer that reads them beside patches of latents.
final class Flux2KleinPipeline implements TransformerPipeline {
  static final Set<String> CLASS_NAMES = Set.of("Flux2KleinPipeline");

  private static final List<Integer> LAYERS = List.of(9, 18, 27);
  private static final String PAD = "<|endoftext|>";
  private static final int TOKENS = 512;
  private static final int SAMPLE_SIZE = 64;

  private final ChatPrompts prompts;
  private final int pad;
  private final Qwen3TextModel encoder;
  private final Flux2Transformer2DModel transformer;
  private final boolean distilled;

  Flux2KleinPipeline(PipelineParts parts) {
    var files = parts.files();
    distilled = files.index().flag("is_distilled", false);
    prompts = new ChatPrompts(files.folder("tokenizer"), false, parts.notices());
    pad = prompts.id(PAD);
    var textKeys = files.config("text_encoder");
    var textConfig = Qwen3Config.of(textKeys);
    if (textConfig.numHiddenLayers() < LAYERS.getLast()) {
      throw new CheckpointException(
          "%s: \"num_hidden_layers\" is %d; this pipeline reads what layers %s make"
              .formatted(textKeys.where(), textConfig.numHiddenLayers(), LAYERS));
    }
    encoder =
        new Qwen3TextModel(
            textConfig, parts.weights().apply("text_encoder", parts.once()), LAYERS.getLast());
    var keys = files.config("transformer");
    var config = Flux2Config.of(keys);
    int width = LAYERS.size() * textConfig.hiddenSize();
    if (config.inChannels() != parts.latentChannels() || config.jointAttentionDim() != width) {
      throw new CheckpointException(
          "%s: \"in_channels\" is %d, \"joint_attention_dim\" %d; patches of the autoencoder's latents have %d channels, the text encoder's states %d"
              .formatted(
                  keys.where(),
                  config.inChannels(),
                  config.jointAttentionDim(),
                  parts.latentChannels(),
                  width));
    }
    var weights = parts.weights().apply("transformer", parts.network());
    transformer = new Flux2Transformer2DModel(config, weights);
  }

  @Override
  public List<Condition> encode(Functional f, List<String> texts, Reading how) {
    how.requireNoClip();
    int tokens = how.maxTokens() == 0 ? TOKENS : how.maxTokens();
    return texts.stream().map(text -> encode(f, prompts.ids(text, tokens), tokens)).toList();
  }

  private Condition encode(Functional f, int[] text, int tokens) {
    int[] ids = Arrays.copyOf(text, tokens);
    Arrays.fill(ids, text.length, tokens, pad);
    int own = encoder.config().hiddenSize();
    int width = LAYERS.size() * own;
    var states = new float[tokens * width];
    var layer = new int[1];
    encoder.forward(
        f,
        ids,
        text.length,
        x -> {
          int column = LAYERS.indexOf(layer[0]++) * own;
          if (column >= 0) {
            float[] values = f.toF32(x).toFloats();
            for (int t = 0; t < tokens; t++) {
              System.arraycopy(values, t * own, states, t * width + column, own);
            }
          }
        });
    return new Condition(states, tokens, width, null);
  }

  @Override
  public Conditioned condition(Functional f, Wanted wanted) {
    var references = wanted.seen().references().stream().map(r -> tensor(f, r)).toList();
    return (latents, now) ->
        OneByOne.predict(
            f,
            wanted.size(),
            wanted.conditions(),
            latents,
            (sample, text) ->
                transformer.forward(
                    f, sample, references, now.timestep(), text.statesIn(f), (name, x) -> {}));
  }

  private static Tensor tensor(Functional f, SeenPictures.Reference picture) {
    var out =
        f.ops()
            .empty(
                picture.rows(),
                picture.columns(),
                picture.latents().length / (picture.rows() * picture.columns()));
    MemorySegment.copy(
        picture.latents(), 0, out.segment(), ValueLayout.JAVA_FLOAT, 0, picture.latents().length);
    return out;
  }

  @Override
  public PictureUse pictureUse() {
    return PictureUse.REFERENCES;
  }

  /// The distilled model was trained to do without.
  @Override
  public boolean guides(double guidance) {
    return !distilled && guidance > 1;
  }

  @Override
  public boolean takesNegative() {
    return !distilled;
  }

  /// A shift that its makers fitted to images' sizes and numbers of steps.
  @Override
  public FlowTimes flowTimes(LatentSize size, int steps) {
    int tokens = size.height() * size.width();
    double of200 = 0.00016927 * tokens + 0.45666666;
    double of10 = 8.73809524e-05 * tokens + 1.89833333;
    double slope = (of200 - of10) / 190;
    return new FlowTimes(tokens, true, tokens > 4300 ? of200 : of200 + slope * (steps - 200));
  }

  @Override
  public int width() {
    return transformer.config().width();
  }

  @Override
  public Defaults defaults() {
    return distilled ? new Defaults(4, 1) : new Defaults(50, 4);
  }

  @Override
  public int sampleSize() {
    return SAMPLE_SIZE;
  }
}
