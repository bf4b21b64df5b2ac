package io.gatun.models.diffusion.files;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// An autoencoder that comes by itself, to be used in place of a pipeline's own: one of the same
/// architecture, or the decoder of a tiny one (TAESD).
///
/// It is a directory as diffusers saves it (AutoencoderKL or AutoencoderTiny), or a file: of a
/// directory's weights, of a `first_stage_model`, or a `taesd_decoder` as its author publishes it.
public final class VaeFile implements AutoCloseable {
  private static final String TINY_DECODER = "decoder.layers";
  private static final String LDM = "first_stage_model.";

  /// Of a tiny autoencoder the encoder, which is not used; of a file that is a whole pipeline all
  /// else; losses, averages, and how long training took.
  private static final Pattern LEFTOVERS =
      Pattern.compile(
          "(first_stage_model\\.)?(loss|model_ema)\\.|encoder\\.layers\\.|bn\\.num_batches_tracked$"
              + "|(model|cond_stage_model|conditioner)\\.");

  private final Path path;
  private final Checkpoint checkpoint;
  private final UsedTensors tensors;

  private VaeFile(Path path, Checkpoint checkpoint) {
    this.path = path;
    this.checkpoint = checkpoint;
    tensors = new UsedTensors(checkpoint);
  }

  /// Opens a file or directory.
  ///
  /// @throws CheckpointException if it is none, or holds no autoencoder
  public static VaeFile open(Path path, LoadMode mode) {
    var file = new VaeFile(path, Checkpoint.open(path, mode));
    if (file.isTiny() || file.has("decoder.conv_in.weight") || file.isLdm()) {
      return file;
    }
    file.close();
    throw new CheckpointException(
        ("%s holds no decoder of images: need the tensors \"decoder.conv_in.weight\""
                + " (AutoencoderKL), \"decoder.layers.0.weight\" (AutoencoderTiny), or \"1.weight\""
                + " and \"3.conv.0.weight\" (taesd_decoder). List it with: gatun inspect %s")
            .formatted(path, path));
  }

  private boolean has(String tensor) {
    return checkpoint.tensors().containsKey(tensor);
  }

  private boolean isLdm() {
    return has(LDM + "decoder.conv_in.weight");
  }

  /// Whether it is a tiny autoencoder, whose decoder alone is used.
  public boolean isTiny() {
    return has(TINY_DECODER + ".0.weight") || (has("1.weight") && has("3.conv.0.weight"));
  }

  /// The decoder of a tiny autoencoder: its list of layers.
  public Weights tinyDecoder() {
    var weights = Weights.of(tensors, WeightNames.SAME);
    return has(TINY_DECODER + ".0.weight") ? weights.at(TINY_DECODER) : weights;
  }

  /// The configuration that lies beside the weights, or else `own`, the pipeline's.
  public JsonKeys config(JsonKeys own) {
    Path config = path.resolve("config.json");
    return Files.isDirectory(path) && Files.exists(config) ? JsonKeys.read(config) : own;
  }

  /// The weights of an AutoencoderKL, by diffusers' names.
  ///
  /// @param blocks levels of the network
  public Weights weights(int blocks) {
    if (has("decoder.conv_in.weight") && !has("decoder.mid.block_1.norm1.weight")) {
      return Weights.of(tensors, WeightNames.SAME);
    }
    return Weights.of(tensors, LdmNames.vae(isLdm() ? LDM : "", blocks));
  }

  /// Checks, once the networks are made, that they have read all tensors.
  ///
  /// @throws CheckpointException if there are others than such files are known to hold
  public void requireAllUsed() {
    tensors.requireAllUsed(LEFTOVERS);
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
