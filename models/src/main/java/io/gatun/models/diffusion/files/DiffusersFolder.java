package io.gatun.models.diffusion.files;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.diffusion.schedulers.PredictionType;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
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
  static final Pattern LEFTOVERS =
      Pattern.compile(
          "text_model\\.embeddings\\.position_ids$|text_projection\\.|logit_scale$|vision_model\\."
              + "|visual_projection\\.|loss\\.|bn\\.num_batches_tracked$"
              + "|model\\.(layers\\.(2[7-9]|[3-9]\\d)\\.|norm\\.)|lm_head\\.");

  private final Path path;
  private final LoadMode mode;
  private final PredictionType prediction;
  private final JsonKeys index;
  private final NetworkFile network;
  private final Map<String, UsedTensors> open = new HashMap<>();

  /// Of models that check themselves what they read.
  private final Map<String, Checkpoint> checkpoints = new HashMap<>();

  /// Text encoders that take the place of the directory's, by the parts' names.
  private final Map<String, TextEncoderFile> textEncoders = new HashMap<>();

  DiffusersFolder(Path path, LoadMode mode, GivenParts given) {
    this.path = path;
    this.mode = mode;
    prediction = given.prediction();
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
    network = given.network() == null ? null : NetworkFile.open(given.network(), mode);
    try {
      given.textEncoders().forEach(this::replace);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /// Puts a text encoder in the place of one of its kind and width.
  private void replace(Path file) {
    var encoder = TextEncoderFile.open(file, mode);
    for (String part : List.of("text_encoder", "text_encoder_2", "text_encoder_3")) {
      if (has(part) && !textEncoders.containsKey(part) && fits(encoder, config(part))) {
        textEncoders.put(part, encoder);
        return;
      }
    }
    encoder.close();
    throw new CheckpointException(
        "%s is %s, %d wide; %s has no such text encoder"
            .formatted(file, encoder.kind(), encoder.width(), path));
  }

  private static boolean fits(TextEncoderFile encoder, JsonKeys own) {
    return encoder.kind() == TextEncoderFile.Kind.of(own)
        && encoder.width() == encoder.kind().width(own);
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
    if (textEncoders.containsKey(part)) {
      return textEncoders.get(part).config();
    }
    String name = part.equals("scheduler") ? "scheduler_config.json" : "config.json";
    var keys = JsonKeys.read(folder(part).resolve(name));
    if (part.equals("scheduler")) {
      putPrediction((ObjectNode) keys.json());
    }
    return keys;
  }

  /// What is predicted: as the user says, or else another network's file.
  private void putPrediction(ObjectNode scheduler) {
    var said =
        prediction != null || network == null
            ? prediction
            : SingleFilePrediction.said(network.checkpoint());
    if (said != null) {
      scheduler.put("prediction_type", said.toString());
    }
    if (network != null && SingleFilePrediction.hasZeroSnr(network.checkpoint())) {
      scheduler.put("rescale_betas_zero_snr", true);
    }
  }

  @Override
  public Weights weights(String part) {
    if (textEncoders.containsKey(part)) {
      return textEncoders.get(part).weights();
    }
    if (network != null && part.equals(networkPart())) {
      return network.weights(part, config(part));
    }
    Path folder = folder(part);
    var tensors = open.computeIfAbsent(part, _ -> new UsedTensors(Checkpoint.open(folder, mode)));
    return Weights.of(tensors, WeightNames.SAME);
  }

  @Override
  public Checkpoint checkpoint(String part) {
    if (textEncoders.containsKey(part)) {
      return textEncoders.get(part).checkpoint();
    }
    return checkpoints.computeIfAbsent(part, _ -> Checkpoint.open(folder(part), mode));
  }

  @Override
  public void requireAllUsed(boolean otherVae) {
    open.values().forEach(tensors -> tensors.requireAllUsed(LEFTOVERS));
    textEncoders.values().forEach(TextEncoderFile::requireAllUsed);
    if (network != null) {
      network.requireAllUsed();
    }
  }

  private String networkPart() {
    return has("unet") ? "unet" : "transformer";
  }

  @Override
  public void checkNumbers(String what, float[] results) {
    var checkpoint = network == null ? open.get(networkPart()).checkpoint() : network.checkpoint();
    NotFinite.check(what, results, checkpoint);
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
  public void unload() {
    open.values().forEach(tensors -> tensors.checkpoint().unload());
    checkpoints.values().forEach(Checkpoint::unload);
    textEncoders.values().forEach(encoder -> encoder.checkpoint().unload());
    if (network != null) {
      network.checkpoint().unload();
    }
  }

  @Override
  public void close() {
    open.values().forEach(tensors -> tensors.checkpoint().close());
    checkpoints.values().forEach(Checkpoint::close);
    textEncoders.values().forEach(TextEncoderFile::close);
    if (network != null) {
      network.close();
    }
  }
}
