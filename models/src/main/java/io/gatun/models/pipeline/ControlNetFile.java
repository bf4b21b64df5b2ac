package io.gatun.models.pipeline;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import io.gatun.models.unet.ControlNetConfig;
import io.gatun.models.unet.ControlNetModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// A ControlNet that comes by itself: a directory as diffusers saves it.
public final class ControlNetFile implements AutoCloseable {
  private static final Pattern NOTHING = Pattern.compile("(?!)");

  private final Checkpoint checkpoint;
  private final ControlNetModel model;

  private ControlNetFile(Path path, Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
    var tensors = new UsedTensors(checkpoint);
    var config = ControlNetConfig.of(JsonKeys.read(path.resolve("config.json")));
    model = new ControlNetModel(config, Weights.of(tensors, WeightNames.SAME));
    tensors.requireAllUsed(NOTHING);
  }

  /// Opens a directory.
  ///
  /// @throws CheckpointException if it is none, or holds no ControlNet that Gatun can run
  public static ControlNetFile open(Path path, LoadMode mode) {
    if (!Files.exists(path.resolve("config.json"))) {
      throw new CheckpointException(
          "%s is no ControlNet: need a directory with config.json and the weights beside it, as diffusers saves it"
              .formatted(path));
    }
    var checkpoint = Checkpoint.open(path, mode);
    try {
      return new ControlNetFile(path, checkpoint);
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  public ControlNetModel model() {
    return model;
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
