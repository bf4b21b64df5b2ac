package io.gatun.tools.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Keys;
import io.gatun.models.encoder.ClassificationHead;
import io.gatun.models.encoder.EncoderModel;
import io.gatun.models.encoder.Encoders;
import io.gatun.models.encoder.SentenceFiles;
import io.gatun.models.nn.Quantization;
import io.gatun.models.text.Tokenizers;
import io.gatun.tools.console.Table;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/// What people want to know of an embedder or a reranker.
///
/// @param model null where it does not run
/// @param problem why it does not run here, or null if it does
record EncoderSummary(boolean ranks, EncoderModel model, String problem) {
  private static final int SHOWN_PROMPT = 60;

  /// Of an open checkpoint; null for what is neither.
  ///
  /// @throws CheckpointException if it has no configuration
  static EncoderSummary of(Checkpoint checkpoint) {
    var keys = Keys.of(checkpoint);
    boolean ranks = ClassificationHead.isIn(checkpoint);
    if (Encoders.isDecoder(keys)) {
      if (!ranks && !saysPooling(checkpoint, keys)) {
        return null;
      }
    } else if (!Encoders.types().contains(keys.text("model_type", "").replace('-', '_'))) {
      return null;
    }
    try {
      var model = EncoderModel.of(checkpoint, ranks, Quantization.Mode.NONE);
      Tokenizers.load(checkpoint.path(), checkpoint.metadata());
      return new EncoderSummary(ranks, model, null);
    } catch (CheckpointException | IllegalArgumentException e) {
      return new EncoderSummary(ranks, null, e.getMessage());
    }
  }

  private static boolean saysPooling(Checkpoint checkpoint, Keys keys) {
    try {
      return SentenceFiles.of(checkpoint, keys).pooling() != null;
    } catch (CheckpointException e) {
      return true; // in a way that Gatun does not know
    }
  }

  /// What it is, as far as the configuration tells.
  String family(Keys keys) {
    return model == null
        ? keys.text("model_type", "bert")
        : "%s, %d layers of %d"
            .formatted(
                keys.text("model_type", "bert"),
                model.encoder().layers(),
                model.encoder().hiddenSize());
  }

  /// Rows for people.
  void addTo(Table table) {
    table.row("kind", ranks ? "reranker: gatun rank" : "embedder: gatun embed");
    if (model == null) {
      return;
    }
    if (!ranks) {
      var files = model.files();
      table.row(
          "vectors",
          "%d numbers%s".formatted(model.dimension(), files.normalize() ? ", normalized" : ""));
      table.row("pooling", files.pooling() == null ? "not said: choose --pooling" : pooling());
      if (!files.prompts().isEmpty()) {
        table.row("prompts", prompts());
      }
    }
    table.row(ranks ? "pairs" : "texts", "%,d tokens at most".formatted(model.maxTokens()));
  }

  private String pooling() {
    return switch (model.files().pooling()) {
      case CLS -> "cls: the first token's state";
      case MEAN -> "mean of all tokens' states";
      case LAST -> "last: the last token's state";
    };
  }

  private String prompts() {
    String standard = model.files().defaultPrompt();
    String all =
        model.files().prompts().entrySet().stream()
            .map(e -> "%s \"%s\"".formatted(e.getKey(), shortened(e.getValue())))
            .collect(Collectors.joining(", "));
    return standard == null ? all : all + "; by default " + standard;
  }

  private static String shortened(String prompt) {
    String line = prompt.replace("\n", "\\n");
    return line.length() <= SHOWN_PROMPT ? line : line.substring(0, SHOWN_PROMPT) + "...";
  }

  /// The same for programs.
  Map<String, Object> toMap() {
    var map = new LinkedHashMap<String, Object>();
    map.put("kind", ranks ? "reranker" : "embedder");
    if (model != null) {
      map.put("max_tokens", model.maxTokens());
      if (!ranks) {
        var files = model.files();
        map.put("dimension", model.dimension());
        map.put("normalized", files.normalize());
        map.put(
            "pooling",
            files.pooling() == null ? null : files.pooling().name().toLowerCase(Locale.ROOT));
        map.put("prompts", files.prompts());
        map.put("default_prompt", files.defaultPrompt());
      }
    }
    return map;
  }
}
