package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;

/// The weights of a two-dimensional convolution: as the checkpoint stores them, and, from the first
/// use on, in the form that convolutions here read fastest.
///
/// A weight belongs to one model and is used with one [Functional].
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

  /// @param weight (O, I, kernelHeight, kernelWidth) of any type, PyTorch's order, where it lies
  /// @param bias (O) of any type; null for none
  /// @param stride in both directions
  public static ConvWeight of(Tensor weight, Tensor bias, int stride, Padding padding) {
    Check.rank("weight", weight, 4);
    if (bias != null) {
      Check.same("bias", bias.size(), "output channels of the weight", weight.dim(0));
    }
    return new ConvWeight(weight, bias, stride, padding);
  }

  /// A convolution of stride 1 that keeps the size of the image: kernels of odd size k, k / 2 zeros
  /// on every side.
  public static ConvWeight same(Tensor weight, Tensor bias) {
    return of(weight, bias, 1, Padding.of((int) weight.dim(2) / 2));
  }

  /// O.
  public long outChannels() {
    return weight.dim(0);
  }

  /// I.
  public long inChannels() {
    return weight.dim(1);
  }
}
