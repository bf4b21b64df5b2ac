package io.gatun.models.clip;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Images as CLIP's image encoder reads them: the shorter side resized, the middle cut out, the
/// channels normalized (transformers, CLIPImageProcessor).
///
/// @param shortest what the shorter side becomes, in pixels
/// @param size the side of the square that is cut out
@SuppressWarnings("ArrayRecordComponent") // never compared
record ClipImages(int shortest, int size, Filter filter, float[] mean, float[] std) {
  /// The longest side of a resized image; of others hardly anything is in the middle.
  private static final long LONGEST = 1 << 15;

  private static final float[] MEAN = {0.48145467f, 0.4578275f, 0.40821072f};
  private static final float[] STD = {0.26862955f, 0.2613026f, 0.2757771f};

  /// Reads preprocessor_config.json, if there is one.
  ///
  /// @param size that the image encoder reads
  /// @throws CheckpointException if it asks for what Gatun does not do
  static ClipImages of(Path directory, int size) {
    Path file = directory.resolve("preprocessor_config.json");
    if (!Files.exists(file)) {
      return new ClipImages(size, size, Filter.BICUBIC, MEAN, STD);
    }
    var keys = JsonKeys.read(file);
    for (String step : List.of("do_resize", "do_center_crop", "do_normalize")) {
      keys.requireFlag(step, true);
    }
    keys.require("rescale_factor", 1 / 255.0);
    int shortest = side(keys, "size", "shortest_edge", size);
    int crop = side(keys, "crop_size", "height", size);
    if (crop != size || shortest < crop) {
      throw new CheckpointException(
          "%s: images are resized to %d and cut to %d; the image encoder reads %d"
              .formatted(file, shortest, crop, size));
    }
    var filter =
        switch (keys.integer("resample", 3)) {
          case 1 -> Filter.LANCZOS;
          case 2 -> Filter.BILINEAR;
          case 3 -> Filter.BICUBIC;
          default ->
              throw new CheckpointException(
                  "%s: \"resample\" is %d; Gatun does 1 (Lanczos), 2 (bilinear) and 3 (bicubic)"
                      .formatted(file, keys.integer("resample")));
        };
    return new ClipImages(
        shortest,
        size,
        filter,
        keys.isAbsent("image_mean") ? MEAN : keys.numbers("image_mean", 3),
        keys.isAbsent("image_std") ? STD : keys.numbers("image_std", 3));
  }

  /// A number, or an object of one or two sides.
  private static int side(JsonKeys keys, String name, String part, int absent) {
    JsonNode value = keys.json().path(name);
    if (value.isObject()) {
      int side = value.path(part).asInt();
      boolean square = value.path("width").asInt(side) == side;
      value = square ? value.path(part) : MissingNode.getInstance();
    } else if (value.isMissingNode() || value.isNull()) {
      return absent;
    }
    if (!value.isInt() || value.intValue() < 1 || value.intValue() > 1 << 12) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; need a side of 1 to 4096 pixels"
              .formatted(keys.where(), name, keys.json().path(name)));
    }
    return value.intValue();
  }

  /// The images as (B, size, size, 3) F32.
  ///
  /// @throws ImageException if one is too long and narrow
  Tensor input(List<Image> images, Ops ops) {
    var input = ops.empty(images.size(), size, size, 3);
    long each = 3L * size * size;
    for (int b = 0; b < images.size(); b++) {
      var pixels = middle(images.get(b), ops).pixels();
      for (long i = 0; i < each; i++) {
        int c = (int) (i % 3);
        float value = (pixels.get(ValueLayout.JAVA_BYTE, i) & 0xFF) / 255f;
        input
            .segment()
            .setAtIndex(ValueLayout.JAVA_FLOAT, b * each + i, (value - mean[c]) / std[c]);
      }
    }
    return input;
  }

  private Image middle(Image image, Ops ops) {
    long width = resized(image.width(), image.height());
    long height = resized(image.height(), image.width());
    var whole = image.rgb().resize((int) width, (int) height, filter, ops.workers());
    int left = (int) (width - size) / 2;
    int top = (int) (height - size) / 2;
    return whole.crop(left, top, left + size, top + size);
  }

  private long resized(int side, int other) {
    long length = side <= other ? shortest : (long) ((double) ((long) shortest * side) / other);
    if (length > LONGEST) {
      throw new ImageException(
          "the image is %d times as long as it is wide; need a picture of which the middle shows something"
              .formatted(side / other));
    }
    return length;
  }
}
