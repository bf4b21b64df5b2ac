package io.gatun.models.diffusion.files;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import java.nio.file.Files;
import java.nio.file.Path;

/// The parts of a text-to-image pipeline on disk: `unet`, `vae`, `text_encoder`, `text_encoder_2`,
/// `scheduler`, `tokenizer`, `tokenizer_2`, as diffusers names them.
///
/// Opening reads nothing but configurations and headers; weights are mapped when they are asked for
/// and stay valid until the files are closed.
public sealed interface PipelineFiles extends AutoCloseable
    permits DiffusersFolder, SingleFile, TransformerFiles {
  /// Opens a diffusers directory, or a file that holds all parts, as CompVis and Stability AI lay
  /// it out, or a diffusion transformer.
  ///
  /// @throws CheckpointException if it is neither
  static PipelineFiles open(Path path, LoadMode mode) {
    return open(path, mode, GivenParts.NONE);
  }

  /// As [#open(Path, LoadMode)], with parts from elsewhere.
  ///
  /// @throws CheckpointException if they do not fit
  static PipelineFiles open(Path path, LoadMode mode, GivenParts given) {
    if (!Files.exists(path)) {
      throw new CheckpointException(
          path + " does not exist; name a diffusers directory, a .safetensors or a .gguf file");
    }
    if (Files.isDirectory(path)) {
      return new DiffusersFolder(path, mode, given);
    }
    var checkpoint = Checkpoint.open(path, mode);
    try {
      if (given.network() != null) {
        throw new CheckpointException(
            "%s is a file; another network (--network) is for a diffusers directory"
                .formatted(path));
      }
      var transformer = KnownTransformer.find(checkpoint);
      if (transformer.isPresent()) {
        return new TransformerFiles(checkpoint, transformer.get(), given, mode);
      }
      if (!given.textEncoders().isEmpty()) {
        throw new CheckpointException(
            "%s is no file of a diffusion transformer, which other text encoders (--text-encoder) are for"
                .formatted(path));
      }
      return new SingleFile(checkpoint, given.prediction());
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  /// The directory or file that was opened.
  Path path();

  /// What the pipeline as a whole is: model_index.json.
  JsonKeys index();

  /// Whether the pipeline has that part.
  boolean has(String part);

  /// A part's configuration.
  ///
  /// @throws CheckpointException if there is none
  JsonKeys config(String part);

  /// A part's weights, by the names that diffusers and transformers give them.
  ///
  /// @throws CheckpointException if there are none, or they are damaged
  Weights weights(String part);

  /// The files of a part's weights, for models that check themselves what they read.
  ///
  /// @throws CheckpointException if there are none, or they are damaged
  Checkpoint checkpoint(String part);

  /// Checks, once all parts are made, that they have read all tensors.
  ///
  /// @param otherVae whether an autoencoder from elsewhere takes the place of the pipeline's own
  /// @throws CheckpointException if there are others than pipelines are known to hold
  void requireAllUsed(boolean otherVae);

  /// Checks what the UNet made.
  ///
  /// @param what it is, for messages
  /// @throws CheckpointException if there is a NaN in it
  void checkNumbers(String what, float[] results);

  /// The folder of a part that has files of its own, such as a tokenizer; null where all is in one
  /// file.
  ///
  /// @throws CheckpointException if the pipeline lacks the part
  Path folder(String part);

  /// Takes what has been read of the mapped files out of the process's memory: little of it will be
  /// read soon. What is comes back by itself.
  void unload();

  @Override
  void close();
}
