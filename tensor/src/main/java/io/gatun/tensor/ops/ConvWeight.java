package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;

/// The weights of a two-dimensional convolution as the checkpoint stores them. From the first use
/// on they are also kept in the form that convolutions here read fastest.
public final class ConvWeight {
  private final Tensor weight;
  private final Tensor bias;
  private final int stride;
  private final Padding padding;

  /// Rows and columns of zeros around an image.
  public record Padding(int top, int left, int bottom, int right) {
    /// The same on every side.
    public static Padding of(int all) {
      return new Padding(all, all, all, all);
    }
  }

  private ConvWeight(Tensor weight, Tensor bias, int stride, Padding padding) {
    this.weight = weight;
    this.bias = bias;
    this.stride = stride;
    this.padding = padding;
  }

  /// A convolution with any stride and padding.
  ///
  /// @param weight (O, I, kernelHeight, kernelWidth) of any type, PyTorch's order, where it lies,
  ///   or, if it has gaps, a copy
  /// @param bias (O) of any type; null for none
  /// @param stride in both directions
  public static ConvWeight of(Tensor weight, Tensor bias, int stride, Padding padding) {
    Check.rank("weight", weight, 4);
    if (stride < 1
        || Math.min(padding.top, padding.left) < 0
        || Math.min(padding.bottom, padding.right) < 0) {
      throw new IllegalArgumentException(
          "stride is %d and padding %s; need at least 1 and 0".formatted(stride, padding));
    }
    if (Math.max(padding.top, padding.bottom) >= weight.dim(2)
        || Math.max(padding.left, padding.right) >= weight.dim(3)) {
      throw new IllegalArgumentException(
          padding + " is not smaller than the kernels of the weight " + weight.shape());
    }
    if (bias != null) {
      Check.same("bias", bias.size(), "output channels of the weight", weight.dim(0));
    }
    return new ConvWeight(
        LinearWeight.dense(weight),
        bias == null ? null : LinearWeight.dense(bias),
        stride,
        padding);
  }

  /// A convolution of stride 1 that keeps the size of the image: kernels of odd size k, k / 2 zeros
  /// on every side.
  public static ConvWeight same(Tensor weight, Tensor bias) {
    return of(weight, bias, 1, Padding.of((int) weight.dim(2) / 2));
  }

  /// (O, I, kernelHeight, kernelWidth).
  public Tensor weight() {
    return weight;
  }

  /// (O); null for none.
  public Tensor bias() {
    return bias;
  }

  /// O.
  public long outChannels() {
    return weight.dim(0);
  }

  /// I.
  public long inChannels() {
    return weight.dim(1);
  }

  public int kernelHeight() {
    return Math.toIntExact(weight.dim(2));
  }

  public int kernelWidth() {
    return Math.toIntExact(weight.dim(3));
  }

  public int stride() {
    return stride;
  }

  public Padding padding() {
    return padding;
  }
}
