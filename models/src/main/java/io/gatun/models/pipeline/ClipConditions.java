package io.gatun.models.pipeline;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.CLIPTextModelWithProjection;
import io.gatun.models.clip.ClipPrompt;
import io.gatun.models.clip.ClipTokenizer;
import io.gatun.models.clip.TextualInversion;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/// The text side of a pipeline: prompts to what the UNet is conditioned on, by one CLIP text
/// encoder or SDXL's two.
final class ClipConditions implements TextConditions {
  private final ClipTokenizer tokenizer;
  private final CLIPTextModel encoder;
  private final ClipTokenizer tokenizer2;
  private final CLIPTextModelWithProjection encoder2;
  private final Consumer<String> notices;

  ClipConditions(PipelineParts parts) {
    var files = parts.files();
    notices = parts.notices();
    boolean openClipAlone = files.config("text_encoder").text("hidden_act", "").equals("gelu");
    var config = CLIPTextConfig.of(files.config("text_encoder"));
    var words = parts.taught();
    boolean two = files.has("text_encoder_2");
    tokenizer = tokenizer(files, "tokenizer", openClipAlone).with(words, config.vocabSize(), false);
    encoder =
        new CLIPTextModel(
            config,
            parts.weights().apply("text_encoder", parts.once()),
            vectors(words, TextualInversion::vectors, config, two));
    if (!two) {
      tokenizer2 = null;
      encoder2 = null;
      return;
    }
    var config2 = CLIPTextConfig.of(files.config("text_encoder_2"));
    tokenizer2 = tokenizer(files, "tokenizer_2", true).with(words, config2.vocabSize(), true);
    encoder2 =
        new CLIPTextModelWithProjection(
            config2,
            parts.weights().apply("text_encoder_2", parts.once()),
            vectors(words, TextualInversion::vectors2, config2, true));
  }

  /// The vectors of all words for one of the text encoders.
  private static List<float[]> vectors(
      List<TextualInversion> words,
      Function<TextualInversion, List<float[]>> of,
      CLIPTextConfig config,
      boolean two) {
    var all = new ArrayList<float[]>();
    for (var word : words) {
      boolean fits = of.apply(word).stream().allMatch(v -> v.length == config.hiddenSize());
      if (!fits || word.vectors2().isEmpty() == two) {
        throw new CheckpointException(
            "the taught word \"%s\" has vectors of %d numbers for %s; this model's text encoder has %d%s: it was taught to another kind of model"
                .formatted(
                    word.token(),
                    word.vectors().getFirst().length,
                    word.vectors2().isEmpty() ? "one text encoder" : "two text encoders",
                    config.hiddenSize(),
                    two ? ", of two" : ""));
      }
      all.addAll(of.apply(word));
    }
    return all;
  }

  /// The tokenizer that comes with the files, or the one that all of its kind have.
  ///
  /// @param openClip whether it fills up with other tokens than ends
  static ClipTokenizer tokenizer(PipelineFiles files, String part, boolean openClip) {
    Path folder = files.folder(part);
    if (folder != null) {
      return ClipTokenizer.load(folder);
    }
    return openClip ? ClipTokenizer.openClip() : ClipTokenizer.openAi();
  }

  /// Equally many tokens for each.
  @Override
  public List<Condition> encode(Functional f, List<String> prompts, Reading how) {
    if (how.maxTokens() > 0) {
      throw new IllegalArgumentException(
          "CLIP reads %d tokens, neither more nor fewer; leave out how many text tokens are read"
              .formatted(tokenizer.length()));
    }
    var first = tokens(tokenizer, prompts, how.weighted());
    var second = encoder2 == null ? first : tokens(tokenizer2, prompts, how.weighted());
    int chunks = Math.max(most(first), most(second));
    var conditions = new ArrayList<Condition>();
    for (int i = 0; i < prompts.size(); i++) {
      var one = first.get(i).padded(chunks, tokenizer.encode(""));
      conditions.add(
          encoder2 == null
              ? single(f, one, how.clipSkip())
              : pair(f, one, second.get(i).padded(chunks, tokenizer2.encode("")), how.clipSkip()));
    }
    return conditions;
  }

  private List<ClipPrompt> tokens(ClipTokenizer by, List<String> prompts, boolean weighted) {
    var out = new ArrayList<ClipPrompt>();
    for (String prompt : prompts) {
      var tokens = weighted ? by.encodeWeighted(prompt) : by.encode(prompt);
      if (!tokens.dropped().isEmpty() && by == tokenizer) {
        notices.accept(
            "the prompt is longer than the %d tokens that the model reads; left out: \"%s\""
                .formatted(by.length() - 2, tokens.dropped()));
      }
      out.add(tokens);
    }
    return out;
  }

  private static int most(List<ClipPrompt> prompts) {
    return prompts.stream().mapToInt(ClipPrompt::chunks).max().orElseThrow();
  }

  private Condition single(Functional f, ClipPrompt prompt, int clipSkip) {
    try (var _ = f.scope()) {
      var states = floats(f, encoder.normalized(f, encoder.hiddenState(f, prompt.ids(), clipSkip)));
      prompt.applyWeights(states);
      int width = encoder.config().hiddenSize();
      return new Condition(states, states.length / width, width, null);
    }
  }

  /// SDXL: both encoders' states before their last layers, side by side.
  private Condition pair(Functional f, ClipPrompt one, ClipPrompt two, int clipSkip) {
    try (var _ = f.scope()) {
      float[] a = floats(f, encoder.hiddenState(f, one.ids(), 1 + clipSkip));
      var output = encoder2.forward(f, two.ids(), 1 + clipSkip);
      float[] b = floats(f, output.hidden());
      one.applyWeights(a);
      two.applyWeights(b);
      int left = encoder.config().hiddenSize();
      int right = encoder2.config().hiddenSize();
      int tokens = a.length / left;
      var states = new float[a.length + b.length];
      for (int t = 0; t < tokens; t++) {
        System.arraycopy(a, t * left, states, t * (left + right), left);
        System.arraycopy(b, t * right, states, t * (left + right) + left, right);
      }
      float[] pooled =
          Arrays.copyOf(floats(f, output.textEmbeds()), encoder2.config().projectionDim());
      return new Condition(states, tokens, left + right, pooled);
    }
  }

  private static float[] floats(Functional f, Tensor t) {
    return f.toF32(t).toFloats();
  }
}
