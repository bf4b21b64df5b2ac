package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;

/// Convolutions followed by a batch normalization, which is a part of the weights here: its means
/// and variances are those of the training.
final class ConvBn {
  private static final float BATCH_NORM_EPS = 1e-5f;

  private ConvBn() {}

  /// @param weights whose parts are `c` and `bn`
  /// @param in channels that each output channel sees
  static ConvWeight conv(Weights weights, long out, long in, int kernel, int stride) {
    float[] values = weights.tensor("c.weight", out, in, kernel, kernel).toFloats();
    var bias = folded(weights.at("bn"), values, (int) out);
    var folded = Tensor.ofFloats(Arena.ofAuto(), values, out, in, kernel, kernel);
    return ConvWeight.of(folded, bias, stride, ConvWeight.Padding.of(kernel / 2));
  }

  /// A convolution of 1 x 1.
  static LinearWeight linear(Weights weights, long out, long in) {
    float[] values = weights.tensor("c.weight", out, in, 1, 1).toFloats();
    var bias = folded(weights.at("bn"), values, (int) out);
    return LinearWeight.of(Tensor.ofFloats(Arena.ofAuto(), values, out, in), bias);
  }

  /// Scales the weights of each output channel, and gives its bias (out).
  private static Tensor folded(Weights bn, float[] values, int out) {
    float[] gamma = bn.tensor("weight", out).toFloats();
    float[] beta = bn.tensor("bias", out).toFloats();
    float[] mean = bn.tensor("running_mean", out).toFloats();
    float[] variance = bn.tensor("running_var", out).toFloats();
    int each = values.length / out;
    for (int c = 0; c < out; c++) {
      float scale = (float) (gamma[c] / Math.sqrt(variance[c] + BATCH_NORM_EPS));
      for (int i = 0; i < each; i++) {
        values[c * each + i] *= scale;
      }
      beta[c] -= mean[c] * scale;
    }
    return Tensor.ofFloats(Arena.ofAuto(), beta, out);
  }
}
