package io.gatun.models.dit;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.ValueLayout;

/// Latents (H, W, C) as rows of patches (T, P P C), and back; both F32. In a patch channels come
/// last, or, in `channelsFirst` files, first.
record Patches(int size, boolean channelsFirst) {
  /// The patches of an image, row by row.
  ///
  /// @throws IllegalArgumentException if the image does not divide into patches
  Tensor split(Functional f, Tensor image) {
    long h = image.dim(0);
    long w = image.dim(1);
    long c = image.dim(2);
    if (h % size != 0 || w % size != 0) {
      throw new IllegalArgumentException(
          "latents are %s; need rows and columns that are multiples of %d"
              .formatted(image.shape(), size));
    }
    var out = f.ops().empty(h / size * (w / size), size * size * c);
    copy(image, out, h, w, c, true);
    return out;
  }

  /// The image (H, W, C) of patches.
  Tensor join(Functional f, Tensor patches, long h, long w) {
    long c = patches.size() / (h * w);
    var out = f.ops().empty(h, w, c);
    copy(out, patches, h, w, c, false);
    return out;
  }

  private void copy(Tensor image, Tensor patches, long h, long w, long c, boolean split) {
    long columns = w / size;
    for (long y = 0; y < h; y++) {
      for (long x = 0; x < w; x++) {
        long patch = (y / size * columns + x / size) * size * size * c;
        long place = y % size * size + x % size;
        for (long channel = 0; channel < c; channel++) {
          long within = channelsFirst ? channel * size * size + place : place * c + channel;
          long pixel = (y * w + x) * c + channel;
          if (split) {
            set(patches, patch + within, get(image, pixel));
          } else {
            set(image, pixel, get(patches, patch + within));
          }
        }
      }
    }
  }

  private static float get(Tensor t, long i) {
    return t.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
  }

  private static void set(Tensor t, long i, float value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
  }
}
