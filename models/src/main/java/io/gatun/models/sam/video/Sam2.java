package io.gatun.models.sam.video;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.NamedModels;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.SamOptions;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.config.SamNames;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/// SAM 2 or 2.1 (Ravi et al. 2024) for videos; for single images [Sam] loads the same files.
///
/// ```java
/// try (var sam2 = Sam2.load("facebook/sam2.1-hiera-tiny");
///     var tracker = sam2.track(frames.size())) {
///   tracker.prompt(0, 1, Prompt.point(210, 350));
///   for (Path frame : frames) {
///     List<TrackedObject> found = tracker.next(Image.read(frame));
///   }
/// }
/// ```
///
/// Any thread may use it and its trackers: calls from several threads take turns.
public final class Sam2 implements AutoCloseable {
  /// What the model has for images, and a constant that no published model uses.
  private static final Pattern OF_IMAGES =
      Pattern.compile(
          "(image_encoder|vision_encoder|sam_|mask_decoder|prompt_encoder|shared_image_embedding"
              + "|no_mem_embed|no_memory_embedding|no_mem_pos_enc|no_memory_positional_encoding)");

  private final Sam sam;
  private final MemoryNetworks networks;

  private Sam2(Sam sam) {
    this.sam = sam;
    var checkpoint = sam.checkpoint();
    if (sam.config().kind() != SamConfig.Kind.SAM2) {
      throw new CheckpointException(
          "%s: only SAM 2 and 2.1 follow objects through videos, and this is an earlier Segment Anything model"
              .formatted(checkpoint.path()));
    }
    var tensors = new UsedTensors(checkpoint);
    var weights =
        Weights.of(tensors, SamNames.of(checkpoint)).because("other tensors of the file say so");
    networks = new MemoryNetworks(weights, sam.config(), sam.functional());
    tensors.requireAllUsed(OF_IMAGES);
  }

  /// Loads a model with the default options.
  ///
  /// @param pathOrName what [NamedModels] knows
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Sam2 load(String pathOrName) {
    return load(NamedModels.find(pathOrName), o -> {});
  }

  /// Loads a model from Meta's .pt file or Hugging Face's directory.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public static Sam2 load(Path path, Consumer<SamOptions> choose) {
    var sam = Sam.load(path, choose);
    try {
      return new Sam2(sam);
    } catch (RuntimeException | Error e) {
      sam.close();
      throw e;
    }
  }

  /// The same model for single images, which is closed with this and not otherwise.
  public Sam sam() {
    return sam;
  }

  /// A new video of unknown length.
  public Tracker track() {
    return track(Integer.MAX_VALUE);
  }

  /// A new video.
  ///
  /// @param frames how many it has: a short one's pointers are weighed as the reference does
  public Tracker track(int frames) {
    return new Tracker(sam, networks, frames);
  }

  /// As [Sam#close].
  @Override
  public void close() {
    sam.close();
  }
}
