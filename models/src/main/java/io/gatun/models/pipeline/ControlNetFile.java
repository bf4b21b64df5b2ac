package io.gatun.models.pipeline;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.diffusion.files.ControlNetLayout;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import io.gatun.models.unet.ControlNetConfig;
import io.gatun.models.unet.ControlNetModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// A ControlNet that comes by itself: a directory as diffusers saves it, or a file, see
/// [ControlNetLayout].
public final class ControlNetFile implements AutoCloseable {
  private static final Pattern NOTHING = Pattern.compile("(?!)");
  private static final String CONFIG = "config.json";

  private final Checkpoint checkpoint;
  private final ControlNetModel model;

  private ControlNetFile(Checkpoint checkpoint, ControlNetLayout layout) {
    this.checkpoint = checkpoint;
    var tensors = new UsedTensors(checkpoint);
    var config = ControlNetConfig.of(layout.config());
    model = new ControlNetModel(config, Weights.of(tensors, layout.names()));
    tensors.requireAllUsed(layout.others());
  }

  /// Opens a directory or a file.
  ///
  /// @param unet the configuration of the UNet that it is to steer
  /// @throws CheckpointException if it holds no ControlNet that Gatun can run
  public static ControlNetFile open(Path path, LoadMode mode, JsonKeys unet) {
    if (Files.isDirectory(path) && !Files.exists(path.resolve(CONFIG))) {
      throw new CheckpointException(
          "%s is no ControlNet: need a directory with config.json and the weights beside it, as diffusers saves it, or a file"
              .formatted(path));
    }
    var checkpoint = Checkpoint.open(path, mode);
    try {
      return new ControlNetFile(checkpoint, layout(path, checkpoint, unet));
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  private static ControlNetLayout layout(Path path, Checkpoint checkpoint, JsonKeys unet) {
    if (Files.isDirectory(path)) {
      return saved(path.resolve(CONFIG));
    }
    Path beside = path.resolveSibling(CONFIG);
    boolean own =
        ControlNetLayout.isByDiffusers(checkpoint)
            && Files.exists(beside)
            && JsonKeys.read(beside).text("_class_name", "").equals("ControlNetModel");
    return own ? saved(beside) : ControlNetLayout.of(checkpoint, unet);
  }

  private static ControlNetLayout saved(Path config) {
    return new ControlNetLayout(JsonKeys.read(config), WeightNames.SAME, NOTHING);
  }

  public ControlNetModel model() {
    return model;
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
