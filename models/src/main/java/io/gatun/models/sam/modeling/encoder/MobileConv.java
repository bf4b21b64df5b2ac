package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// Three convolutions, of each pixel, of each channel, and of each pixel again: a block of
/// TinyViT's first stage (MBConv, Sandler et al. 2018), or what leads from a stage to the next.
///
/// @param shortcut whether the input is added, and the sum activated
record MobileConv(LinearWeight conv1, ConvWeight conv2, LinearWeight conv3, boolean shortcut)
    implements TinyViT.Layer {
  private static final int EXPANSION = 4;

  static MobileConv block(Weights weights, long dim) {
    return of(weights, dim, EXPANSION * dim, dim, 1, true);
  }

  static MobileConv merging(Weights weights, long dim, long out, int stride) {
    return of(weights, dim, out, out, stride, false);
  }

  private static MobileConv of(
      Weights weights, long in, long hidden, long out, int stride, boolean shortcut) {
    return new MobileConv(
        ConvBn.linear(weights.at("conv1"), hidden, in),
        ConvBn.conv(weights.at("conv2"), hidden, 1, 3, stride),
        ConvBn.linear(weights.at("conv3"), out, hidden),
        shortcut);
  }

  @Override
  public Tensor forward(Functional f, Tensor x) {
    var y = f.depthwiseConv2d(f.linear(x, conv1, Epilogue.of(Activation.GELU)), conv2);
    y = f.activate(y, Activation.GELU);
    return shortcut
        ? f.activate(f.linear(y, conv3, Epilogue.add(x)), Activation.GELU)
        : f.linear(y, conv3);
  }

  /// Rows of the result for so many of the input.
  long side(long rows) {
    return Math.ceilDiv(rows, (long) conv2.stride());
  }

  @Override
  public long flops(long rows) {
    long left = side(rows) * side(rows);
    return 2
        * (rows * rows * conv1.inFeatures() * conv1.outFeatures()
            + left * conv2.weight().size()
            + left * conv3.inFeatures() * conv3.outFeatures());
  }
}
