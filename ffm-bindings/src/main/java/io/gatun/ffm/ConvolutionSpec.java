package io.gatun.ffm;

import java.util.List;

/// A two-dimensional convolution, for [OneDnn#convolution]: everything but the addresses.
///
/// The source is (batch, height, width, inChannels), the result (batch, [#outHeight()],
/// [#outWidth()], outChannels), both dense. The weights are (outChannels, inChannels, kernelHeight,
/// kernelWidth) before they are packed. Keep it and use it again: the compiled primitive is found
/// by it.
///
/// @param stride in both directions
/// @param src the element type of the source
/// @param weights the element type of the packed weights
/// @param dst the element type of the result
/// @param bias the element type of the bias, which has outChannels elements; null for none
/// @param layout how the weights are packed; null until [OneDnn#packedLayout] has said it
/// @param postOps what happens to each element before it is stored
public record ConvolutionSpec(
    int batch,
    int height,
    int width,
    int inChannels,
    int outChannels,
    int kernelHeight,
    int kernelWidth,
    int stride,
    Padding padding,
    ElementType src,
    ElementType weights,
    ElementType dst,
    ElementType bias,
    PackedLayout layout,
    List<PostOp> postOps) {
  /// Rows and columns of zeros around the source.
  public record Padding(int top, int left, int bottom, int right) {
    /// The same on every side.
    public static Padding of(int all) {
      return new Padding(all, all, all, all);
    }
  }

  public ConvolutionSpec {
    postOps = List.copyOf(postOps);
    if (batch < 1 || kernelHeight < 1 || kernelWidth < 1 || stride < 1) {
      throw new IllegalArgumentException(
          "batch %d, kernel %dx%d, stride %d: each must be at least 1"
              .formatted(batch, kernelHeight, kernelWidth, stride));
    }
    if (height + padding.top + padding.bottom < kernelHeight
        || width + padding.left + padding.right < kernelWidth) {
      throw new IllegalArgumentException(
          "an image of %dx%d with padding %s is smaller than the kernel of %dx%d"
              .formatted(height, width, padding, kernelHeight, kernelWidth));
    }
  }

  /// Square kernels, without bias or post-ops.
  public static ConvolutionSpec of(
      int batch,
      int height,
      int width,
      int inChannels,
      int outChannels,
      int kernel,
      int stride,
      int padding,
      ElementType type) {
    return new ConvolutionSpec(
        batch,
        height,
        width,
        inChannels,
        outChannels,
        kernel,
        kernel,
        stride,
        Padding.of(padding),
        type,
        type,
        type,
        null,
        null,
        List.of());
  }

  /// The result's rows.
  public int outHeight() {
    return (height + padding.top + padding.bottom - kernelHeight) / stride + 1;
  }

  /// The result's columns.
  public int outWidth() {
    return (width + padding.left + padding.right - kernelWidth) / stride + 1;
  }

  /// The same convolution with a bias of this type.
  public ConvolutionSpec withBias(ElementType type) {
    return with(type, layout, postOps);
  }

  /// The same convolution with weights packed so.
  public ConvolutionSpec withLayout(PackedLayout newLayout) {
    return with(bias, newLayout, postOps);
  }

  /// The same convolution with these operations before the result is stored.
  public ConvolutionSpec withPostOps(PostOp... ops) {
    return with(bias, layout, List.of(ops));
  }

  private ConvolutionSpec with(ElementType newBias, PackedLayout newLayout, List<PostOp> ops) {
    return new ConvolutionSpec(
        batch,
        height,
        width,
        inChannels,
        outChannels,
        kernelHeight,
        kernelWidth,
        stride,
        padding,
        src,
        weights,
        dst,
        newBias,
        newLayout,
        ops);
  }
}
