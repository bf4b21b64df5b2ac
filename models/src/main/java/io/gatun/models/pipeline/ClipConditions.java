package io.gatun.models.pipeline;

import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.CLIPTextModelWithProjection;
import io.gatun.models.clip.ClipPrompt;
import io.gatun.models.clip.ClipTokenizer;
import io.gatun.models.diffusion.PipelineFiles;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// The text side of a pipeline: prompts to what the UNet is conditioned on, by one CLIP text
/// encoder or SDXL's two.
final class ClipConditions implements TextConditions {
  private final Functional f;
  private final ClipTokenizer tokenizer;
  private final CLIPTextModel encoder;
  private final ClipTokenizer tokenizer2;
  private final CLIPTextModelWithProjection encoder2;
  private final Consumer<String> notices;

  ClipConditions(PipelineParts parts) {
    var files = parts.files();
    f = parts.once();
    notices = parts.notices();
    boolean openClipAlone = files.config("text_encoder").text("hidden_act", "").equals("gelu");
    tokenizer = tokenizer(files, "tokenizer", openClipAlone);
    encoder =
        new CLIPTextModel(
            CLIPTextConfig.of(files.config("text_encoder")),
            parts.weights().apply("text_encoder", f),
            f);
    boolean two = files.has("text_encoder_2");
    tokenizer2 = two ? tokenizer(files, "tokenizer_2", true) : null;
    encoder2 =
        two
            ? new CLIPTextModelWithProjection(
                CLIPTextConfig.of(files.config("text_encoder_2")),
                parts.weights().apply("text_encoder_2", f),
                f)
            : null;
  }

  private static ClipTokenizer tokenizer(PipelineFiles files, String part, boolean openClip) {
    Path folder = files.folder(part);
    if (folder != null) {
      return ClipTokenizer.load(folder);
    }
    return openClip ? ClipTokenizer.openClip() : ClipTokenizer.openAi();
  }

  /// Equally many tokens for each.
  @Override
  public List<Condition> encode(List<String> prompts, Reading how) {
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
              ? single(one, how.clipSkip())
              : pair(one, second.get(i).padded(chunks, tokenizer2.encode("")), how.clipSkip()));
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

  private Condition single(ClipPrompt prompt, int clipSkip) {
    try (var _ = f.scope()) {
      var states = floats(encoder.normalized(encoder.hiddenState(prompt.ids(), clipSkip)));
      prompt.applyWeights(states);
      int width = encoder.config().hiddenSize();
      return new Condition(states, states.length / width, width, null);
    }
  }

  /// SDXL: both encoders' states before their last layers, side by side.
  private Condition pair(ClipPrompt one, ClipPrompt two, int clipSkip) {
    try (var _ = f.scope()) {
      float[] a = floats(encoder.hiddenState(one.ids(), 1 + clipSkip));
      var output = encoder2.forward(two.ids(), 1 + clipSkip);
      float[] b = floats(output.hidden());
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
          Arrays.copyOf(floats(output.textEmbeds()), encoder2.config().projectionDim());
      return new Condition(states, tokens, left + right, pooled);
    }
  }

  private float[] floats(Tensor t) {
    return f.toF32(t).toFloats();
  }
}
