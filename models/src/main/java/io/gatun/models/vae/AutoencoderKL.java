package io.gatun.models.vae;

import io.gatun.models.nn.OverlappingTiles;
import io.gatun.models.nn.ResnetBlock2D;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.ValueLayout;
import java.util.function.BiConsumer;

/// Stable Diffusion's autoencoder, a variational one (Kingma and Welling 2014) trained by Rombach
/// et al. 2022.
///
/// Images are (B, H, W, 3) with values -1..1, latents (B, H / 8, W / 8, L), both F32. The network's
/// latents are `(these - shiftFactor) * scalingFactor`, as the configuration has them.
public final class AutoencoderKL implements Autoencoder {
  static final float EPS = 1e-6f;

  private final AutoencoderKLConfig config;
  private final Encoder encoder;
  private final Decoder decoder;
  private final LinearWeight quantConv;
  private final LinearWeight postQuantConv;
  private final LatentPatches patches;

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public AutoencoderKL(AutoencoderKLConfig config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.reason());
    int l = config.latentChannels();
    encoder = new Encoder(config, weights.at("encoder"));
    decoder = new Decoder(config, weights.at("decoder"));
    quantConv = config.useQuantConv() ? weights.linear("quant_conv", 2L * l, 2L * l) : null;
    postQuantConv = config.usePostQuantConv() ? weights.linear("post_quant_conv", l, l) : null;
    patches = config.batchNormEps() > 0 ? LatentPatches.of(config, weights) : null;
  }

  static ResnetBlock2D resnet(AutoencoderKLConfig config, Weights weights, int in, int out) {
    return new ResnetBlock2D(weights, in, out, 0, config.normNumGroups(), EPS);
  }

  public AutoencoderKLConfig config() {
    return config;
  }

  /// The last level's first block reads what the one below has, in the image's size.
  @Override
  public long workNumbers(long pixels) {
    var channels = config.blockOutChannels();
    return pixels
        * (4L * channels.getFirst() + 2L * channels.get(Math.min(1, channels.size() - 1)));
  }

  @Override
  public int latentFactor() {
    return config.factor() * patch();
  }

  @Override
  public int latentChannels() {
    return config.latentChannels() * patch() * patch();
  }

  /// The autoencoder's latents a side for one of the network's.
  private int patch() {
    return patches == null ? 1 : LatentPatches.SIZE;
  }

  /// The autoencoder's latents (1, H, W, L), in the workspace, of the network's (rows, columns,
  /// [#latentChannels]).
  public Tensor ofNetwork(Functional f, float[] latents, int rows, int columns) {
    var z =
        f.ops().empty(1, (long) rows * patch(), (long) columns * patch(), config.latentChannels());
    float[] own = patches == null ? latents : patches.split(latents, rows, columns);
    for (int i = 0; i < own.length; i++) {
      set(z, i, own[i] / config.scalingFactor() + config.shiftFactor());
    }
    return z;
  }

  @Override
  public Tensor decode(Functional f, float[] latents, int rows, int columns, int tile) {
    var z = ofNetwork(f, latents, rows, columns);
    return tile == 0 ? decode(f, z) : decodeTiled(f, z, tile);
  }

  @Override
  public float[] forNetwork(float[] z, int rows, int columns) {
    var scaled = new float[z.length];
    for (int i = 0; i < z.length; i++) {
      scaled[i] = (z[i] - config.shiftFactor()) * config.scalingFactor();
    }
    return patches == null ? scaled : patches.join(scaled, rows, columns);
  }

  /// The image (B, 8 H, 8 W, 3) of latents (B, H, W, L), about -1..1, not clamped.
  public Tensor decode(Functional f, Tensor z) {
    return decode(f, z, (name, x) -> {});
  }

  /// As [#decode(Functional, Tensor)], showing `probe` what each block gives, by its name.
  public Tensor decode(Functional f, Tensor z, BiConsumer<String, Tensor> probe) {
    check("latents", z, config.latentChannels(), 1);
    return Scoped.call(
        f,
        () -> {
          var x = f.cast(z);
          return f.toF32(
              decoder.forward(f, postQuantConv == null ? x : f.linear(x, postQuantConv), probe));
        });
  }

  /// As [#decode(Functional, Tensor)], but in overlapping squares of `tile` rows and columns of
  /// latents at most, for images that would need too much memory as a whole.
  public Tensor decodeTiled(Functional f, Tensor z, int tile) {
    check("latents", z, config.latentChannels(), 1);
    return new OverlappingTiles(f, part -> decode(f, part), tile, tile / 4, 1)
        .apply(z, config.factor(), config.outChannels());
  }

  /// The latents' distribution of an image (B, H, W, 3).
  ///
  /// @throws IllegalArgumentException if its sides are not multiples of
  ///   [AutoencoderKLConfig#factor]
  @Override
  public DiagonalGaussian encode(Functional f, Tensor image) {
    return encode(f, image, (name, x) -> {});
  }

  /// As [#encode(Functional, Tensor)], showing `probe` what each block gives, by its name.
  public DiagonalGaussian encode(Functional f, Tensor image, BiConsumer<String, Tensor> probe) {
    check("image", image, config.inChannels(), config.factor());
    var moments =
        Scoped.call(
            f,
            () -> {
              var h = encoder.forward(f, f.cast(image), probe);
              probe.accept("encoder", h);
              return f.toF32(quantConv == null ? h : f.linear(h, quantConv)); // (B, H, W, 2 L)
            });
    return split(f, moments);
  }

  private DiagonalGaussian split(Functional f, Tensor moments) {
    int l = config.latentChannels();
    var dims = moments.shape().dims();
    dims[3] = l;
    var mean = f.ops().empty(dims);
    var logvar = f.ops().empty(dims);
    for (long i = 0; i < mean.size(); i++) {
      long at = i / l * 2 * l + i % l;
      set(mean, i, get(moments, at));
      set(logvar, i, Math.clamp(get(moments, at + l), -30, 20));
    }
    return new DiagonalGaussian(mean, logvar);
  }

  private static float get(Tensor t, long index) {
    return t.segment().getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }

  private static void set(Tensor t, long index, float value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, index, value);
  }

  private static void check(String what, Tensor t, int channels, int multiple) {
    if (t.shape().rank() != 4
        || t.dim(3) != channels
        || t.dim(1) % multiple != 0
        || t.dim(2) % multiple != 0) {
      throw new IllegalArgumentException(
          "%s: shape %s; need (B, H, W, %d), H and W multiples of %d"
              .formatted(what, t.shape(), channels, multiple));
    }
  }
}
