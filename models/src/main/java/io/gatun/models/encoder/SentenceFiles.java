package io.gatun.models.encoder;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Keys;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.JsonTree;
import io.gatun.models.nn.UnknownKeys;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// How texts become vectors, as the files of sentence-transformers beside a checkpoint say, or a
/// GGUF file's metadata.
///
/// @param pooling null where nothing says
/// @param dense the layers after pooling
/// @param normalize whether vectors get the length 1
/// @param maxTokens the most tokens of a text; 0 where nothing says
/// @param lowercase whether texts are made small letters before all else
/// @param prompts what can be put before a text, by name
/// @param defaultPrompt the name of the one that is put there unless another is chosen; null for
///   none
public record SentenceFiles(
    Pooling pooling,
    List<Dense> dense,
    boolean normalize,
    int maxTokens,
    boolean lowercase,
    Map<String, String> prompts,
    String defaultPrompt) {
  private static final Pattern HARMLESS =
      Pattern.compile("similarity_fn_name|model_type|version|.*embedding_dimension");

  /// GGUF's pooling_type of rerankers.
  private static final int RANK = 4;

  /// Texts beyond this are no prompts.
  private static final int MAX_PROMPT = 10_000;

  /// Reads the files, or the metadata's `pooling_type`.
  ///
  /// @param keys the checkpoint's configuration
  /// @throws CheckpointException if they ask for what Gatun does not do
  public static SentenceFiles of(Checkpoint checkpoint, Keys keys) {
    if (keys.isGguf()) {
      return ofGguf(checkpoint, keys);
    }
    Path path = checkpoint.path();
    return ofDirectory(Files.isDirectory(path) ? path : path.toAbsolutePath().getParent());
  }

  /// GGUF has no key for normalization, which nearly all models want, and which changes no cosine.
  private static SentenceFiles ofGguf(Checkpoint checkpoint, Keys keys) {
    int type = keys.integer(keys.type() + ".pooling_type", 0);
    var pooling =
        switch (type) {
          case 0, RANK -> null;
          case 1 -> Pooling.MEAN;
          case 2 -> Pooling.CLS;
          case 3 -> Pooling.LAST;
          default ->
              throw new CheckpointException(
                  "%s: pooling_type is %d; Gatun runs 1 (mean), 2 (cls) and 3 (last)"
                      .formatted(keys.where(), type));
        };
    var dense =
        Stream.of("dense_2.weight", "dense_3.weight")
            .filter(checkpoint.tensors()::containsKey)
            .map(name -> Dense.ofGguf(checkpoint, name))
            .toList();
    return new SentenceFiles(pooling, dense, true, 0, false, Map.of(), null);
  }

  private static SentenceFiles ofDirectory(Path directory) {
    Pooling pooling = null;
    var dense = new ArrayList<Dense>();
    boolean normalize = false;
    for (JsonNode module : modules(directory)) {
      String type = module.path("type").asText();
      Path folder = directory.resolve(module.path("path").asText());
      if (!folder.normalize().startsWith(directory.normalize())) {
        throw new CheckpointException(
            "%s: the module \"%s\" lies outside of the model's folder"
                .formatted(directory.resolve("modules.json"), module.path("path").asText()));
      }
      switch (type.substring(type.lastIndexOf('.') + 1)) {
        case "Transformer" -> {}
        case "Pooling" -> pooling = pooling(JsonKeys.read(folder.resolve("config.json")));
        case "Dense" -> dense.add(Dense.read(folder));
        case "Normalize" -> normalize = true;
        default ->
            throw new CheckpointException(
                "%s: the module \"%s\" is one that Gatun does not have; it has Transformer, Pooling, Dense and Normalize"
                    .formatted(directory.resolve("modules.json"), UnknownKeys.shown(type)));
      }
    }
    int most = 0;
    boolean lowercase = false;
    Path sentence = directory.resolve("sentence_bert_config.json");
    if (Files.exists(sentence)) {
      var keys = JsonKeys.read(sentence);
      most = keys.count("max_seq_length", Integer.MAX_VALUE);
      lowercase = keys.flag("do_lower_case", false);
      keys.requireAllRead(HARMLESS);
    }
    var prompts = new LinkedHashMap<String, String>();
    String standard = null;
    Path config = directory.resolve("config_sentence_transformers.json");
    if (Files.exists(config)) {
      var keys = JsonKeys.read(config);
      for (var prompt : keys.section("prompts").json().properties()) {
        if (!prompt.getValue().isTextual() || prompt.getValue().textValue().length() > MAX_PROMPT) {
          throw new CheckpointException(
              "%s: the prompt \"%s\" is %s; need a text of at most %d characters"
                  .formatted(
                      config,
                      UnknownKeys.shown(prompt.getKey()),
                      UnknownKeys.shown(prompt.getValue()),
                      MAX_PROMPT));
        }
        prompts.put(prompt.getKey(), prompt.getValue().textValue());
      }
      standard = keys.text("default_prompt_name", null);
      if (standard != null && !prompts.containsKey(standard)) {
        throw new CheckpointException(
            "%s: default_prompt_name is \"%s\"; the prompts are %s"
                .formatted(config, standard, prompts.keySet()));
      }
      keys.requireAllRead(HARMLESS);
    }
    return new SentenceFiles(
        pooling,
        dense,
        normalize,
        most == Integer.MAX_VALUE ? 0 : most,
        lowercase,
        prompts,
        standard);
  }

  private static List<JsonNode> modules(Path directory) {
    Path file = directory.resolve("modules.json");
    var modules = new ArrayList<JsonNode>();
    if (Files.exists(file)) {
      try {
        JsonTree.read(file).forEach(modules::add);
      } catch (IOException e) {
        throw new CheckpointException(file + ": this is not JSON: " + e.getMessage(), e);
      }
    }
    return modules;
  }

  private static Pooling pooling(JsonKeys keys) {
    var chosen = new ArrayList<Pooling>();
    add(chosen, Pooling.CLS, keys.flag("pooling_mode_cls_token", false));
    add(chosen, Pooling.MEAN, keys.flag("pooling_mode_mean_tokens", false));
    add(chosen, Pooling.LAST, keys.flag("pooling_mode_lasttoken", false));
    switch (keys.text("pooling_mode", "")) {
      case "" -> {}
      case "cls" -> chosen.add(Pooling.CLS);
      case "mean" -> chosen.add(Pooling.MEAN);
      case "lasttoken" -> chosen.add(Pooling.LAST);
      default -> keys.require("pooling_mode", "mean", "mean");
    }
    keys.requireFlag("include_prompt", true);
    keys.requireAllRead(Pattern.compile("word_embedding_dimension|embedding_dimension"));
    if (chosen.size() != 1) {
      throw new CheckpointException(
          "%s: the ways of pooling are %s; need one of cls, mean and lasttoken"
              .formatted(keys.where(), chosen));
    }
    return chosen.getFirst();
  }

  private static void add(List<Pooling> chosen, Pooling pooling, boolean on) {
    if (on) {
      chosen.add(pooling);
    }
  }
}
