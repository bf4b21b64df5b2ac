package io.gatun.search;

import io.gatun.models.clip.CLIPModel;
import io.gatun.models.image.Image;
import java.util.List;
import java.util.Objects;

/// What makes vectors of pictures and of texts, of which those of a picture and of what describes
/// it point in similar directions.
///
/// Any thread may use it.
public interface ImageEmbedder {
  /// Where the model is found again: a path, or a name of the hub's. An index keeps it, for who
  /// searches in it later.
  String name();

  /// The length of a vector.
  int dimension();

  /// The vectors of pictures, in their order.
  ///
  /// @throws io.gatun.models.image.ImageException if one cannot be read
  List<float[]> images(List<Image> images);

  /// The vector of a text.
  ///
  /// @throws IllegalArgumentException if it is too long
  float[] text(String text);

  /// A model, which stays the caller's to close.
  ///
  /// @param name where it is found again, such as its path
  static ImageEmbedder of(CLIPModel model, String name) {
    Objects.requireNonNull(name, "the embedder's name is null");
    return new ImageEmbedder() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public int dimension() {
        return model.dimension();
      }

      @Override
      public List<float[]> images(List<Image> images) {
        return List.of(model.images(images));
      }

      @Override
      public float[] text(String text) {
        return model.text(text);
      }
    };
  }
}
