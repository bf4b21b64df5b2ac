package io.gatun.models.diffusion;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/// A directory as diffusers saves a pipeline: model_index.json, and a folder for each part.
final class DiffusersFolder implements PipelineFiles {
  private final Path path;
  private final LoadMode mode;
  private final JsonKeys index;
  private final Map<String, Checkpoint> open = new HashMap<>();

  DiffusersFolder(Path path, LoadMode mode) {
    this.path = path;
    this.mode = mode;
    index = JsonKeys.read(path.resolve("model_index.json"));
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
    return JsonKeys.read(folder(part).resolve(name));
  }

  @Override
  public Weights weights(String part) {
    Path folder = folder(part);
    return Weights.of(open.computeIfAbsent(part, _ -> Checkpoint.open(folder, mode)));
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
    open.values().forEach(Checkpoint::close);
  }
}
