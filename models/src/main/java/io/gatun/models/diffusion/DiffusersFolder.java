package io.gatun.models.diffusion;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/// A directory as diffusers saves a pipeline: model_index.json, and a folder for each part.
final class DiffusersFolder implements PipelineFiles {
  private static final Set<String> PARTS =
      Set.of(
          "unet",
          "controlnet",
          "transformer",
          "vae",
          "text_encoder",
          "text_encoder_2",
          "text_encoder_3",
          "tokenizer",
          "tokenizer_2",
          "tokenizer_3",
          "scheduler");

  /// What pipelines have that does not change their images: filters of results, what reads images
  /// for adapters that are not there, and switches of those.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "safety_checker|feature_extractor|image_encoder|requires_safety_checker|add_watermarker"
              + "|watermark|force_zeros_for_empty_prompt");

  /// Positions, which follow from the configuration; what a text encoder has that is a part of a
  /// whole CLIP; losses; how long training took; a language model's layers behind the last that
  /// FLUX.2 reads, and its output.
  private static final Pattern LEFTOVERS =
      Pattern.compile(
          "text_model\\.embeddings\\.position_ids$|text_projection\\.|logit_scale$|vision_model\\."
              + "|visual_projection\\.|loss\\.|bn\\.num_batches_tracked$"
              + "|model\\.(layers\\.(2[7-9]|[3-9]\\d)\\.|norm\\.)|lm_head\\.");

  private final Path path;
  private final LoadMode mode;
  private final PredictionType prediction;
  private final JsonKeys index;
  private final Map<String, UsedTensors> open = new HashMap<>();

  /// Of models that check themselves what they read.
  private final Map<String, Checkpoint> checkpoints = new HashMap<>();

  DiffusersFolder(Path path, LoadMode mode, PredictionType prediction) {
    this.path = path;
    this.mode = mode;
    this.prediction = prediction;
    index = JsonKeys.read(path.resolve("model_index.json"));
    var others = new ArrayList<String>();
    for (var e : index.json().properties()) {
      boolean isPart = e.getValue().path(1).isTextual();
      if (isPart && !PARTS.contains(e.getKey()) && !HARMLESS.matcher(e.getKey()).matches()) {
        others.add(e.getKey());
      }
    }
    if (!others.isEmpty()) {
      throw new CheckpointException(
          "%s: is %s with %s, which Gatun does not run: its images come from these parts alone: %s"
              .formatted(
                  index.where(),
                  index.text("_class_name", "a pipeline"),
                  String.join(", ", others),
                  String.join(", ", new TreeSet<>(PARTS))));
    }
    index.refuse("requires_aesthetics_score");
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public JsonKeys index() {
    return index;
  }

  @Override
  public boolean has(String part) {
    // A part that a pipeline does without is [null, null].
    return index.json().path(part).path(1).isTextual();
  }

  @Override
  public JsonKeys config(String part) {
    String name = part.equals("scheduler") ? "scheduler_config.json" : "config.json";
    var keys = JsonKeys.read(folder(part).resolve(name));
    if (part.equals("scheduler") && prediction != null) {
      ((ObjectNode) keys.json()).put("prediction_type", prediction.toString());
    }
    return keys;
  }

  @Override
  public Weights weights(String part) {
    Path folder = folder(part);
    var tensors = open.computeIfAbsent(part, _ -> new UsedTensors(Checkpoint.open(folder, mode)));
    return Weights.of(tensors, WeightNames.SAME);
  }

  @Override
  public Checkpoint checkpoint(String part) {
    return checkpoints.computeIfAbsent(part, _ -> Checkpoint.open(folder(part), mode));
  }

  @Override
  public void requireAllUsed(boolean otherVae) {
    open.values().forEach(tensors -> tensors.requireAllUsed(LEFTOVERS));
  }

  @Override
  public void checkNumbers(String what, float[] results) {
    NotFinite.check(what, results, open.get(has("unet") ? "unet" : "transformer").checkpoint());
  }

  @Override
  public Path folder(String part) {
    Path folder = path.resolve(part);
    if (!has(part)) {
      throw new CheckpointException(
          "%s names no \"%s\", which this pipeline needs".formatted(index.where(), part));
    }
    if (!Files.isDirectory(folder)) {
      throw new CheckpointException(
          "%s is missing, which %s names; copy it there from where the model came from"
              .formatted(folder, index.where()));
    }
    return folder;
  }

  @Override
  public void close() {
    open.values().forEach(tensors -> tensors.checkpoint().close());
    checkpoints.values().forEach(Checkpoint::close);
  }
}
