package io.gatun.models.vae;

import io.gatun.models.nn.OverlappingTiles;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// The tiny autoencoder (TAESD, Ollin Boer Bohan 2023): nearly what [AutoencoderKL] does, in a
/// hundredth of the time, for previews.
///
/// Images are (B, H, W, 3) with values -1..1; latents (B, H / 8, W / 8, L) are those of the UNet,
/// not to be divided by a scaling factor. Both are F32. The network is a list of layers, which
/// shows from the names of the tensors.
public final class AutoencoderTiny implements Autoencoder {
  /// Pixels to a latent, in both directions.
  public static final int FACTOR = 8;

  /// The channels of the published ones.
  private static final long WIDTH = 64;

  private static final float LATENT_MAGNITUDE = 3;
  private static final int IMAGE_CHANNELS = 3;

  /// The logarithm of a variance that is as good as none.
  private static final float CERTAIN = -30;

  private final int latentChannels;
  private final List<Layer> encoder;
  private final List<Layer> decoder;

  private interface Layer {
    Tensor forward(Functional f, Tensor x);
  }

  /// @param encoder the tensors of the encoder, named `0.weight`, `1.conv.0.weight`...; null for
  ///   none
  /// @param decoder the tensors of the decoder; null for none
  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   those before it say
  public AutoencoderTiny(Weights encoder, Weights decoder) {
    latentChannels = decoder == null ? 0 : Math.toIntExact(latentChannels(decoder));
    this.encoder = encoder == null ? null : encoderLayers(encoder);
    this.decoder = decoder == null ? null : decoderLayers(decoder);
  }

  /// conv, block, then three times: conv of stride 2, blocks; conv.
  private static List<Layer> encoderLayers(Weights checkpoint) {
    var weights = checkpoint.because("of its place in a tiny autoencoder's list of layers");
    var layers = new ArrayList<Layer>();
    long channels = weights.shape("0.weight").dim(0);
    layers.add(conv(weights.conv("0", channels, IMAGE_CHANNELS, 3), Epilogue.NONE));
    for (int i = 1; ; i++) {
      if (weights.has(i + ".conv.0.weight")) {
        layers.add(new AutoencoderTinyBlock(weights.at("" + i), channels)::forward);
      } else if (weights.has(i + ".bias")) {
        long latents = weights.shape(i + ".weight").dim(0);
        layers.add(conv(weights.conv("" + i, latents, channels, 3), Epilogue.NONE));
        return layers;
      } else {
        var half =
            weights.convWithoutBias("" + i, channels, channels, 3, 2, ConvWeight.Padding.of(1));
        layers.add(conv(half, Epilogue.NONE));
      }
    }
  }

  /// conv, relu, then three times: blocks, twice the size, conv; block, conv. The list of the first
  /// publication begins with the limitation of latents, which has no weights.
  private static List<Layer> decoderLayers(Weights checkpoint) {
    var weights = checkpoint.because("of its place in a tiny autoencoder's list of layers");
    var layers = new ArrayList<Layer>();
    int first = weights.has("0.weight") ? 0 : 1;
    long channels = weights.shape(first + ".weight").dim(0);
    layers.add(
        conv(
            weights.conv("" + first, channels, latentChannels(checkpoint), 3),
            Epilogue.of(Activation.RELU)));
    for (int i = first + 2; ; i++) {
      if (weights.has(i + ".conv.0.weight")) {
        layers.add(new AutoencoderTinyBlock(weights.at("" + i), channels)::forward);
      } else if (weights.has(i + ".bias")) {
        layers.add(conv(weights.conv("" + i, IMAGE_CHANNELS, channels, 3), Epilogue.NONE));
        return layers;
      } else {
        i++; // twice the size, which has no weights
        var smooth =
            weights.convWithoutBias("" + i, channels, channels, 3, 1, ConvWeight.Padding.of(1));
        layers.add((f, x) -> Scoped.call(f, () -> f.conv2d(f.upsampleNearest2x(x), smooth)));
      }
    }
  }

  /// The channels of latents that a decoder of these weights reads.
  public static long latentChannels(Weights decoder) {
    return decoder.shape(decoder.has("0.weight") ? "0.weight" : "1.weight").dim(1);
  }

  private static Layer conv(ConvWeight weight, Epilogue epilogue) {
    return (f, x) -> f.conv2d(x, weight, epilogue);
  }

  /// A block's input, two convolutions' results and their sum, and as many for gaps between them.
  @Override
  public long workNumbers(long pixels) {
    return pixels * 8 * WIDTH;
  }

  @Override
  public int latentFactor() {
    return FACTOR;
  }

  @Override
  public int latentChannels() {
    return latentChannels;
  }

  @Override
  public Tensor decode(Functional f, float[] latents, int rows, int columns, int tile) {
    var z = f.ops().empty(1, rows, columns, latentChannels);
    for (int i = 0; i < latents.length; i++) {
      set(z, i, latents[i]);
    }
    return tile == 0 ? decode(f, z) : decodeTiled(f, z, tile);
  }

  @Override
  public float[] forNetwork(float[] z, int rows, int columns) {
    return z;
  }

  /// Latents (B, H / 8, W / 8, L), of which it is certain.
  @Override
  public DiagonalGaussian encode(Functional f, Tensor image) {
    var mean = latents(f, image);
    var logvar = f.ops().empty(mean.shape().dims());
    for (long i = 0; i < logvar.size(); i++) {
      set(logvar, i, CERTAIN);
    }
    return new DiagonalGaussian(mean, logvar);
  }

  private Tensor latents(Functional f, Tensor image) {
    return Scoped.call(
        f,
        () -> {
          var x = f.ops().empty(image.shape().dims());
          for (long i = 0; i < x.size(); i++) {
            set(x, i, (get(image, i) + 1) / 2);
          }
          return run(f, encoder, x);
        });
  }

  /// The image (B, 8 H, 8 W, 3) of the UNet's latents (B, H, W, L): about -1..1, not clamped.
  ///
  ///     2 decoder(3 tanh(z / 3)) - 1
  public Tensor decode(Functional f, Tensor z) {
    return Scoped.call(
        f,
        () -> {
          var limited = f.ops().empty(z.shape().dims());
          for (long i = 0; i < z.size(); i++) {
            double value = LATENT_MAGNITUDE * Math.tanh(get(z, i) / LATENT_MAGNITUDE);
            set(limited, i, (float) value);
          }
          var image = run(f, decoder, limited);
          for (long i = 0; i < image.size(); i++) {
            set(image, i, 2 * get(image, i) - 1);
          }
          return image;
        });
  }

  /// As [#decode(Functional, Tensor)], but in overlapping squares of `tile` rows and columns of
  /// latents at most.
  public Tensor decodeTiled(Functional f, Tensor z, int tile) {
    return new OverlappingTiles(f, part -> decode(f, part), tile, tile / 4, 1)
        .apply(z, FACTOR, IMAGE_CHANNELS);
  }

  private static Tensor run(Functional f, List<Layer> layers, Tensor input) {
    var x = f.cast(input);
    for (var layer : layers) {
      x = layer.forward(f, x);
    }
    return f.toF32(x);
  }

  private static float get(Tensor t, long index) {
    return t.segment().getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }

  private static void set(Tensor t, long index, float value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, index, value);
  }
}
