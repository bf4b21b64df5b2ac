package io.gatun.models.diffusion;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import java.nio.file.Path;

/// All weights of a pipeline in one file, as CompVis and Stability AI publish them and people trade
/// them. It has no configurations: which pipeline it is shows from the names of its tensors.
final class SingleFile implements PipelineFiles {
  private final Checkpoint checkpoint;
  private final KnownPipeline kind;
  private final JsonKeys configs;

  SingleFile(Path path, LoadMode mode) {
    checkpoint = Checkpoint.open(path, mode);
    try {
      kind = KnownPipeline.of(checkpoint);
      configs = new JsonKeys(kind.configs(), path.toString());
      var convIn = checkpoint.tensor(LdmNames.CONV_IN);
      if (convIn.shape().rank() == 4) { // 9 channels where a mask comes with the latents
        ((ObjectNode) configs.json().path("unet")).put("in_channels", convIn.dim(1));
      }
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  @Override
  public Path path() {
    return checkpoint.path();
  }

  @Override
  public JsonKeys index() {
    return config("model_index");
  }

  @Override
  public boolean has(String part) {
    return configs.json().has(part);
  }

  @Override
  public JsonKeys config(String part) {
    JsonNode config = configs.json().path(part);
    if (config.isMissingNode()) {
      throw new CheckpointException(
          "%s is a %s checkpoint, which has no %s".formatted(path(), kind.title(), part));
    }
    return new JsonKeys(config, "%s (%s, %s)".formatted(path(), kind.title(), part));
  }

  @Override
  public Weights weights(String part) {
    return Weights.of(checkpoint, kind.names(part, config(part)));
  }

  @Override
  public Path folder(String part) {
    return null;
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
