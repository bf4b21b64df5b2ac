package io.gatun.server.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.decoder.Keys;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.encoder.ClassificationHead;
import io.gatun.models.encoder.Encoders;
import io.gatun.models.encoder.SentenceFiles;
import io.gatun.models.sam.config.SamConfig;
import java.nio.file.Path;

/// What a model is asked for.
public enum Use {
  /// Writes texts.
  CHAT,
  /// Makes vectors of texts.
  EMBEDDINGS,
  /// Says how well texts answer a query.
  RERANK,
  /// Finds objects in images.
  SEGMENTATION,
  /// Makes images.
  IMAGES;

  /// What a model was made for, as its files' headers tell.
  ///
  /// @throws CheckpointException if it cannot be read
  static Use of(Path path) {
    try (var _ = PipelineFiles.open(path, LoadMode.MAP)) {
      return IMAGES;
    } catch (CheckpointException | IllegalArgumentException e) {
      // Another kind.
    }
    try (var checkpoint = Checkpoint.open(path, LoadMode.MAP)) {
      try {
        var _ = SamConfig.of(checkpoint, 0);
        return SEGMENTATION;
      } catch (CheckpointException | IllegalArgumentException e) {
        // Another kind.
      }
      var keys = Keys.of(checkpoint);
      if (ClassificationHead.isIn(checkpoint)) {
        return RERANK;
      }
      return !Encoders.isDecoder(keys) || saysPooling(checkpoint, keys) ? EMBEDDINGS : CHAT;
    }
  }

  private static boolean saysPooling(Checkpoint checkpoint, Keys keys) {
    try {
      return SentenceFiles.of(checkpoint, keys).pooling() != null;
    } catch (CheckpointException e) {
      return true; // in a way that Gatun does not know
    }
  }

  /// `chat`, as programs are told.
  public String word() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
