package io.gatun.models.clipseg;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/// Reads a text's place from what the image encoder saw.
final class Decoder {
  private final CLIPSegConfig config;
  private final LinearWeight filmMul;
  private final LinearWeight filmAdd;
  private final List<LinearWeight> reduces = new ArrayList<>();
  private final List<Layer> layers = new ArrayList<>();
  private final ConvWeight convolution; // or null
  private final List<Upscaling> upscalings = new ArrayList<>();

  /// A transposed convolution whose kernels do not overlap: a linear layer that makes a square of
  /// pixels of one, which stay together.
  ///
  /// @param kernel the square's side
  private record Upscaling(LinearWeight linear, int kernel) {
    static Upscaling of(Weights w, long in, long out, int kernel) {
      float[] byChannels = w.tensor("weight", in, out, kernel, kernel).toFloats();
      float[] bias = w.tensor("bias", out).toFloats();
      int pixels = kernel * kernel;
      var weight = new float[byChannels.length];
      var repeated = new float[(int) (pixels * out)];
      for (int p = 0; p < pixels; p++) {
        for (int o = 0; o < out; o++) {
          int row = (int) (p * out + o);
          repeated[row] = bias[o];
          for (int i = 0; i < in; i++) {
            weight[(int) (row * in + i)] = byChannels[(int) ((i * out + o) * pixels + p)];
          }
        }
      }
      var arena = Arena.ofAuto();
      return new Upscaling(
          LinearWeight.of(
              Tensor.ofFloats(arena, weight, pixels * out, in),
              Tensor.ofFloats(arena, repeated, pixels * out)),
          kernel);
    }

    /// x (T, I), result (T * pixels, O).
    Tensor forward(Functional f, Tensor x, Activation activation) {
      long pixels = (long) kernel * kernel;
      return f.linear(x, linear, Epilogue.of(activation))
          .reshape(x.dim(0) * pixels, linear.outFeatures() / pixels);
    }
  }

  Decoder(Weights weights, CLIPSegConfig config) {
    this.config = config;
    long d = config.reduceDim();
    filmMul = weights.linear("film_mul", d, config.projectionDim());
    filmAdd = weights.linear("film_add", d, config.projectionDim());
    for (int i = 0; i < config.extractLayers().size(); i++) {
      reduces.add(weights.linear("reduces." + i, d, config.vision().hiddenSize()));
      layers.add(
          Layer.of(
              weights.at("layers", i),
              d,
              config.decoderIntermediateSize(),
              config.decoderNumAttentionHeads(),
              Activation.RELU,
              config.vision().layerNormEps()));
    }
    var last = weights.at("transposed_convolution");
    int patch = config.vision().patchSize();
    if (config.complexTransposedConvolution()) {
      convolution = last.conv("0", d, d, 3);
      upscalings.add(Upscaling.of(last.at("2"), d, d / 2, patch / 4));
      upscalings.add(Upscaling.of(last.at("4"), d / 2, 1, patch / 4));
    } else {
      convolution = null;
      upscalings.add(Upscaling.of(last, d, 1, patch));
    }
  }

  /// Logits of each pixel, row by row: the coarsest of `read` comes last in it, and first here.
  ///
  /// @param read what the image encoder gives
  /// @param conditional a text's embedding (1, P)
  float[] forward(Functional f, List<Tensor> read, Tensor conditional) {
    Tensor x = null;
    for (int i = 0; i < layers.size(); i++) {
      var reduced = f.linear(read.get(read.size() - 1 - i), reduces.get(i));
      x = x == null ? reduced : f.add(reduced, x);
      if (i == config.conditionalLayer()) {
        long d = config.reduceDim();
        var mul = f.linear(conditional, filmMul).reshape(d);
        x = f.add(f.mul(x, mul), f.linear(conditional, filmAdd).reshape(d));
      }
      x = layers.get(i).forward(f, x);
    }
    int grid = config.grid();
    long d = config.reduceDim();
    x = f.cast(x.slice(1, 1, x.dim(1))).reshape(1, grid, grid, d); // without the class
    if (convolution != null) {
      x = f.conv2d(x, convolution, Epilogue.of(Activation.RELU));
    }
    x = x.reshape((long) grid * grid, d);
    for (int i = 0; i < upscalings.size(); i++) {
      boolean last = i == upscalings.size() - 1;
      x = upscalings.get(i).forward(f, x, last ? Activation.NONE : Activation.RELU);
    }
    return inRows(f.toF32(x).toFloats());
  }

  /// Pixels of a patch together, and among them those of a part, in rows.
  private float[] inRows(float[] grouped) {
    int size = config.size();
    var out = new float[size * size];
    for (int i = 0; i < out.length; i++) {
      int rest = i;
      int y = 0;
      int x = 0;
      int unit = 1;
      for (var step : upscalings.reversed()) {
        int k = step.kernel;
        y += rest % (k * k) / k * unit;
        x += rest % k * unit;
        rest /= k * k;
        unit *= k;
      }
      y += rest / config.grid() * unit;
      x += rest % config.grid() * unit;
      out[y * size + x] = grouped[i];
    }
    return out;
  }
}
