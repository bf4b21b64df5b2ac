package io.gatun.models;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderTiny;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// Images to latents and back; latents are (H, W, L) in the network's scale.
final class LatentImages {
  private static final int RGB = 3;

  /// The most latents a side that a preview is decoded from.
  private static final int PREVIEW = 16;

  private final AutoencoderKL vae;
  private final AutoencoderTiny tiny;
  private final Functional f;

  /// @param tiny what decodes in place of `vae`; null for nothing
  LatentImages(AutoencoderKL vae, AutoencoderTiny tiny, Functional f) {
    this.vae = vae;
    this.tiny = tiny;
    this.f = f;
  }

  /// Pixels a side for one latent.
  int factor() {
    return vae.latentFactor();
  }

  int channels() {
    return vae.latentChannels();
  }

  /// See [AutoencoderKL#releaseWeights].
  void releaseWeights() {
    vae.releaseWeights();
    if (tiny != null) {
      tiny.releaseWeights();
    }
  }

  /// The image of latents, as a whole, or in squares of `tile` latents if that is not 0.
  Image decode(float[] latents, int height, int width, int tile) {
    try (var _ = f.scope()) {
      Tensor z =
          tiny == null ? vae.ofNetwork(latents, height, width) : plain(latents, height, width);
      Tensor pixels = decode(z, tile); // (1, 8H, 8W, 3)
      var bytes = Arena.ofAuto().allocate(pixels.size());
      for (long i = 0; i < pixels.size(); i++) {
        bytes.set(ValueLayout.JAVA_BYTE, i, toByte(get(pixels, i)));
      }
      return Image.of(width * factor(), height * factor(), RGB, bytes);
    }
  }

  private Tensor plain(float[] latents, int height, int width) {
    Tensor z = f.ops().empty(1, height, width, channels());
    for (int i = 0; i < latents.length; i++) {
      set(z, i, latents[i]);
    }
    return z;
  }

  private Tensor decode(Tensor z, int tile) {
    if (tiny != null) {
      return tile == 0 ? tiny.decode(z) : tiny.decodeTiled(z, tile);
    }
    return tile == 0 ? vae.decode(z) : vae.decodeTiled(z, tile);
  }

  /// 0 to 255 for -1 to 1.
  private static byte toByte(float value) {
    return (byte) Math.rint(Math.clamp(value / 2 + 0.5f, 0, 1) * 255);
  }

  /// Latents of an image, drawn from their distribution.
  ///
  /// @param noise standard normal, of the latents' size
  float[] encode(Image image, float[] noise) {
    try (var _ = f.scope()) {
      Tensor x = f.ops().empty(1, image.height(), image.width(), RGB);
      MemorySegment pixels = image.rgb().pixels();
      for (long i = 0; i < x.size(); i++) {
        set(x, i, Byte.toUnsignedInt(pixels.get(ValueLayout.JAVA_BYTE, i)) / 127.5f - 1);
      }
      var distribution = vae.encode(x);
      var out = new float[noise.length];
      for (int i = 0; i < out.length; i++) {
        double deviation = Math.exp(0.5 * get(distribution.logvar(), i));
        double z = get(distribution.mean(), i) + deviation * noise[i];
        out[i] = (float) z;
      }
      return vae.forNetwork(out, image.height() / factor(), image.width() / factor());
    }
  }

  /// Where a mask in the image's size is lighter than grey, for each of (height, width) latents:
  /// the pixel at each one's top left says.
  boolean[] mask(Image mask, int height, int width) {
    Image scaled =
        mask.resize(width * factor(), height * factor(), Filter.LANCZOS, f.ops().workers());
    var out = new boolean[height * width];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        out[y * width + x] = brightness(scaled, x * factor(), y * factor()) >= 127.5;
      }
    }
    return out;
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
