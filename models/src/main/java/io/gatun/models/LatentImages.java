package io.gatun.models;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// Images to latents and back; latents are (H, W, L) in the UNet's scale.
final class LatentImages {
  private static final int RGB = 3;

  /// Latents a side of what [#preview] is measured on.
  private static final int PROBE = 8;

  private final AutoencoderKL vae;
  private final Functional f;
  private float[][] colours;

  LatentImages(AutoencoderKL vae, Functional f) {
    this.vae = vae;
    this.f = f;
  }

  /// Pixels a side for one latent.
  int factor() {
    return vae.config().factor();
  }

  int channels() {
    return vae.config().latentChannels();
  }

  /// The image of latents, as a whole, or in squares of `tile` latents if that is not 0.
  Image decode(float[] latents, int height, int width, int tile) {
    try (var _ = f.scope()) {
      Tensor z = f.ops().empty(1, height, width, channels());
      for (int i = 0; i < latents.length; i++) {
        set(z, i, latents[i] / vae.config().scalingFactor());
      }
      Tensor pixels = tile == 0 ? vae.decode(z) : vae.decodeTiled(z, tile); // (1, 8H, 8W, 3)
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
        out[i] = (float) (z * vae.config().scalingFactor());
      }
      return out;
    }
  }

  /// Where a mask in the image's size is lighter than grey, for each of (height, width) latents: the
  /// pixel at each one's top left says.
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

  /// Each latent as one pixel: a linear approximation of what the autoencoder makes of it.
  List<Image> preview(float[] latents, int height, int width) {
    float[][] c = colours();
    int channels = channels();
    int size = height * width * channels;
    var out = new ArrayList<Image>();
    for (int from = 0; from < latents.length; from += size) {
      var bytes = Arena.ofAuto().allocate((long) height * width * RGB);
      for (int i = 0; i < height * width; i++) {
        for (int rgb = 0; rgb < RGB; rgb++) {
          float value = c[0][rgb];
          for (int k = 0; k < channels; k++) {
            value += c[k + 1][rgb] * latents[from + i * channels + k];
          }
          bytes.set(ValueLayout.JAVA_BYTE, (long) i * RGB + rgb, toByte(value));
        }
      }
      out.add(Image.of(width, height, RGB, bytes));
    }
    return out;
  }

  /// The colour of latents that are all 0, and how much of red, green and blue each channel adds:
  /// measured by decoding small squares of one value.
  private float[][] colours() {
    if (colours == null) {
      var measured = new float[channels() + 1][];
      measured[0] = colour(-1, 0);
      for (int k = 0; k < channels(); k++) {
        float[] more = colour(k, 1);
        float[] less = colour(k, -1);
        measured[k + 1] = new float[RGB];
        for (int rgb = 0; rgb < RGB; rgb++) {
          measured[k + 1][rgb] = (more[rgb] - less[rgb]) / 2;
        }
      }
      colours = measured;
    }
    return colours;
  }

  /// The mean colour of latents of which one channel has a value, in the UNet's scale.
  private float[] colour(int channel, float value) {
    try (var _ = f.scope()) {
      Tensor z = f.ops().empty(1, PROBE, PROBE, channels());
      for (long i = 0; i < z.size(); i++) {
        set(z, i, i % channels() == channel ? value / vae.config().scalingFactor() : 0);
      }
      Tensor pixels = vae.decode(z);
      var sum = new double[RGB];
      for (long i = 0; i < pixels.size(); i++) {
        sum[(int) (i % RGB)] += get(pixels, i);
      }
      var out = new float[RGB];
      for (int rgb = 0; rgb < RGB; rgb++) {
        out[rgb] = (float) (sum[rgb] * RGB / pixels.size());
      }
      return out;
    }
  }

  private static float get(Tensor t, long i) {
    return t.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
  }

  private static void set(Tensor t, long i, float value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
  }
}
