package io.gatun.models.diffusion.files;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/// A file with the weights of a diffusion network, a UNet or a transformer, that takes the place of
/// a pipeline's own: with the names of diffusers or of its makers, as GGUF files have them.
final class NetworkFile implements AutoCloseable {
  /// Of files that hold other parts, too, those; a norm that Z-Image does not use; positions and
  /// the text of nothing, which PixArt computes; marks of what is predicted.
  static final Pattern OTHERS =
      Pattern.compile(
          "first_stage_model\\.|vae\\.|text_encoders\\.|cond_stage_model\\.|conditioner\\."
              + "|model_ema\\.|norm_final\\.weight$|pos_embed$|y_embedder\\.y_embedding$|v_pred$|ztsnr$");

  private final UsedTensors tensors;

  private NetworkFile(Checkpoint checkpoint) {
    tensors = new UsedTensors(checkpoint);
  }

  /// @throws CheckpointException if there is no checkpoint, or it is damaged
  static NetworkFile open(Path path, LoadMode mode) {
    return new NetworkFile(Checkpoint.open(path, mode));
  }

  Checkpoint checkpoint() {
    return tensors.checkpoint();
  }

  /// The weights by diffusers' names.
  ///
  /// @param part `unet` or `transformer`
  /// @param config of the pipeline's own network
  /// @throws CheckpointException if the file holds a network of another kind
  Weights weights(String part, JsonKeys config) {
    return Weights.of(tensors, part.equals("unet") ? unet(config) : transformer(config));
  }

  private WeightNames unet(JsonKeys config) {
    if (tensors.has("conv_in.weight")) {
      return WeightNames.SAME;
    }
    for (String prefix : List.of("", LdmNames.UNET_PREFIX)) {
      if (tensors.has(prefix + "input_blocks.0.0.weight")) {
        return LdmNames.unet(
            config.texts("up_block_types"), config.count("layers_per_block"), prefix);
      }
    }
    throw other("a UNet", "no UNet");
  }

  private WeightNames transformer(JsonKeys config) {
    String className = config.text("_class_name", "");
    var found = KnownTransformer.find(checkpoint());
    if (found.isPresent()) {
      if (!found.get().kind().className().equals(className)) {
        throw other(className, found.get().kind().title());
      }
      return found.get().names();
    }
    if (tensors.has("t_block.1.weight")) {
      return TransformerNames.of(className, 0, "");
    }
    return WeightNames.SAME; // what is missing is said when it is asked for
  }

  private CheckpointException other(String needed, String found) {
    return new CheckpointException(
        "%s holds %s; the pipeline's network is %s. List the file with: gatun inspect %s"
            .formatted(checkpoint().path(), found, needed, checkpoint().path()));
  }

  void requireAllUsed() {
    tensors.requireAllUsed(OTHERS);
  }

  @Override
  public void close() {
    checkpoint().close();
  }
}
