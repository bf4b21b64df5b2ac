package io.gatun.models;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.models.pipeline.LatentSize;
import io.gatun.models.vae.Autoencoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Images to latents and back; latents are (H, W, L) in the network's scale.
final class LatentImages {
  private static final int RGB = 3;

  /// The most latents a side that a preview is decoded from.
  private static final int PREVIEW = 16;

  private final Autoencoder encoder;
  private final Autoencoder decoder;
  private final Functional f;

  /// What decodes need not be what encodes, if it is for the same latents.
  ///
  /// @param dtype the type to compute in
  LatentImages(Autoencoder encoder, Autoencoder decoder, Ops ops, DType.Plain dtype) {
    this.encoder = encoder;
    this.decoder = decoder;
    f = new Functional(ops, dtype);
  }

  /// Pixels a side for one latent.
  int factor() {
    return encoder.latentFactor();
  }

  int channels() {
    return encoder.latentChannels();
  }

  /// See [Functional#releaseWeights].
  void releaseWeights() {
    f.releaseWeights();
  }

  /// About how many bytes of the workspace it takes to decode an image.
  ///
  /// @param tile see [#decode]
  long workBytes(LatentSize size, int tile) {
    long factor = factor();
    long atOnce =
        tile == 0 ? size.pixels() : Math.min(size.pixels(), tile * factor * tile * factor);
    return decoder.workNumbers(atOnce) * f.dtype().blockBytes() + size.pixels() * RGB * Float.BYTES;
  }

  /// The image of latents, as a whole, or in squares of `tile` latents if that is not 0.
  Image decode(float[] latents, int height, int width, int tile) {
    try (var _ = f.scope()) {
      Tensor pixels = decoder.decode(f, latents, height, width, tile); // (1, 8H, 8W, 3)
      var bytes = Arena.ofAuto().allocate(pixels.size());
      for (long i = 0; i < pixels.size(); i++) {
        bytes.set(ValueLayout.JAVA_BYTE, i, toByte(get(pixels, i)));
      }
      return Image.of(width * factor(), height * factor(), RGB, bytes);
    }
  }

  /// 0 to 255 for -1 to 1.
  private static byte toByte(float value) {
    return (byte) Math.rint(Math.clamp(value / 2 + 0.5f, 0, 1) * 255);
  }

  Workers workers() {
    return f.ops().workers();
  }

  /// A picture in the size of images of latents, in colours.
  Image resized(Image picture, LatentSize size) {
    return picture
        .rgb()
        .resize(size.width() * factor(), size.height() * factor(), Filter.LANCZOS, workers());
  }

  /// The values (H, W, 3) of an image's pixels, 0 to 1.
  ///
  /// @param bgr blue first
  float[] values(Image image, boolean bgr) {
    var out = new float[image.height() * image.width() * RGB];
    MemorySegment pixels = image.rgb().pixels();
    for (int i = 0; i < out.length; i++) {
      int from = bgr ? i / RGB * RGB + RGB - 1 - i % RGB : i;
      out[i] = Byte.toUnsignedInt(pixels.get(ValueLayout.JAVA_BYTE, from)) / 255f;
    }
    return out;
  }

  /// Latents of an image, drawn from their distribution.
  ///
  /// @param noise standard normal, of the latents' size
  float[] encode(Image image, float[] noise) {
    return forNetwork(encode(values(image, false), image, noise), image);
  }

  /// The means of an image's latents.
  float[] mean(Image image) {
    return forNetwork(unscaled(image), image);
  }

  /// The means of an image's latents in the autoencoder's own scale.
  float[] unscaled(Image image) {
    return encode(values(image, false), image, null);
  }

  /// The means of the latents of what a mask does not cover, the rest grey.
  float[] around(Image image, Image mask, LatentSize size) {
    float[] values = values(image, false);
    Image scaled = scaled(mask, size);
    for (int i = 0; i < values.length; i += RGB) {
      int pixel = i / RGB;
      if (isLight(scaled, pixel % image.width(), pixel / image.width())) {
        Arrays.fill(values, i, i + RGB, 0.5f);
      }
    }
    return forNetwork(encode(values, image, null), image);
  }

  private float[] forNetwork(float[] z, Image image) {
    return encoder.forNetwork(z, image.height() / factor(), image.width() / factor());
  }

  /// The autoencoder's latents of values (H, W, 3) from 0 to 1.
  ///
  /// @param noise null for the means
  private float[] encode(float[] values, Image size, float[] noise) {
    try (var _ = f.scope()) {
      Tensor x = f.ops().empty(1, size.height(), size.width(), RGB);
      for (int i = 0; i < values.length; i++) {
        set(x, i, values[i] * 2 - 1);
      }
      var distribution = encoder.encode(f, x);
      float[] out = distribution.mean().toFloats();
      for (int i = 0; noise != null && i < out.length; i++) {
        double deviation = Math.exp(0.5 * get(distribution.logvar(), i));
        out[i] = (float) (out[i] + deviation * noise[i]);
      }
      return out;
    }
  }

  /// Where a mask in the image's size is lighter than grey, for each of the latents: the pixel at
  /// each one's top left says.
  boolean[] mask(Image mask, LatentSize size) {
    Image scaled = scaled(mask, size);
    var out = new boolean[size.height() * size.width()];
    for (int y = 0; y < size.height(); y++) {
      for (int x = 0; x < size.width(); x++) {
        out[y * size.width() + x] = isLight(scaled, x * factor(), y * factor());
      }
    }
    return out;
  }

  private Image scaled(Image mask, LatentSize size) {
    return mask.resize(
        size.width() * factor(), size.height() * factor(), Filter.LANCZOS, workers());
  }

  private static boolean isLight(Image image, int x, int y) {
    return brightness(image, x, y) >= 127.5;
  }

  /// ITU-R 601's luma.
  private static double brightness(Image image, int x, int y) {
    return image.channels() == 1
        ? image.get(x, y, 0)
        : 0.299 * image.get(x, y, 0) + 0.587 * image.get(x, y, 1) + 0.114 * image.get(x, y, 2);
  }

  /// What the images of latents (B, H, W, L) look like, decoded from few of them: the means of
  /// squares, so many that no side is longer than [#PREVIEW].
  List<Image> preview(float[] latents, int height, int width) {
    int side = Math.ceilDiv(Math.max(height, width), PREVIEW);
    int rows = Math.max(1, height / side);
    int columns = Math.max(1, width / side);
    int channels = channels();
    int size = height * width * channels;
    var out = new ArrayList<Image>();
    for (int image = 0; image < latents.length; image += size) {
      var means = new float[rows * columns * channels];
      for (int y = 0; y < Math.min(height, rows * side); y++) {
        for (int x = 0; x < Math.min(width, columns * side); x++) {
          for (int c = 0; c < channels; c++) {
            means[(y / side * columns + x / side) * channels + c] +=
                latents[image + (y * width + x) * channels + c]
                    / (Math.min(side, height) * Math.min(side, width));
          }
        }
      }
      out.add(decode(means, rows, columns, 0));
    }
    return out;
  }

  private static float get(Tensor t, long i) {
    return t.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
  }

  private static void set(Tensor t, long i, float value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
  }
}
