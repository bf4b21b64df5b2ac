package io.gatun.tools.segment;

import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.amg.MaskAnnotation;
import java.nio.file.Path;
import java.util.List;

/// What finds the masks that `gatun segment` writes: a model, or a server.
interface Segmenter extends AutoCloseable {
  /// What was found in an image.
  ///
  /// @param encodeSeconds how long looking at the image took
  /// @param decodeSeconds how long finding the masks took
  record Found<M>(List<M> masks, double encodeSeconds, double decodeSeconds) {}

  /// The model's name.
  String model();

  /// What alone the model has learned to find, in words; empty for anything.
  String trainedOn();

  /// How long it took until the model could be asked, for the line of figures; empty if it could be
  /// at once.
  String loaded();

  /// For each prompt its masks: three of each with `multimask`, else the best.
  ///
  /// @param file that the image was read from
  /// @param mask where the one object is about; null if nothing says
  Found<List<Mask>> find(
      Path file, Image picture, List<Prompt> prompts, Mask mask, boolean multimask);

  /// All masks.
  Found<MaskAnnotation> findAll(Path file, Image picture, EverythingOptions how);

  @Override
  void close();
}
