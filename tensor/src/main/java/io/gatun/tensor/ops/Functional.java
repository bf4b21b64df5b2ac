package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.attention.Attention;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.conv.Convolution;
import io.gatun.tensor.ops.linear.BatchedProduct;
import io.gatun.tensor.ops.linear.Linear;
import io.gatun.tensor.ops.rows.Depthwise;
import io.gatun.tensor.ops.rows.Elementwise;
import io.gatun.tensor.ops.rows.Images;
import io.gatun.tensor.ops.rows.Normalization;
import io.gatun.tensor.runtime.Workspace;
import java.util.function.Supplier;

/// The operations of networks that see and paint (SAM, CLIP, UNet, VAE), on activations of one
/// type, F32 or BF16: torch.nn.functional, for images in NHWC.
///
/// Results come from the step's workspace and are contiguous; sums are F32 inside whatever the
/// type. Norms and biases may be of any type, and so may weights. One thread at a time may use an
/// instance, or its [Ops]. Shape legend: B images, H and W rows and columns, C channels, T tokens
/// (rows), K input and N output features; "..." any leading dimensions.
public final class Functional {
  private final Ops ops;
  private final Context ctx;
  private OpObserver observer;

  /// Operations on activations of type `dtype`, with the backend, workers and workspace of `ops`.
  ///
  /// @throws IllegalArgumentException if `dtype` is not F32 or BF16
  public Functional(Ops ops, DType.Plain dtype) {
    if (dtype != DType.Plain.F32 && dtype != DType.Plain.BF16) {
      throw new IllegalArgumentException("activations are F32 or BF16, not " + dtype.name());
    }
    this.ops = ops;
    ctx = ops.context().with(dtype, ops.context().packed().another());
  }

  /// The type of activations that is fastest here: BF16 where `backend` has products of it that are
  /// faster than those of F32, else F32.
  public static DType.Plain fastest(Backend backend) {
    return backend == Backend.NATIVE && OneDnn.supports(ElementType.BF16)
        ? DType.Plain.BF16
        : DType.Plain.F32;
  }

  /// Tells `newObserver` of every operation from now on; null for nobody.
  public void observer(OpObserver newObserver) {
    observer = newObserver;
  }

  /// The result of an operation, told to the observer.
  private Tensor observed(String name, long flops, Tensor input, Supplier<Tensor> operation) {
    try (var _ = ops.owner().operation()) {
      if (observer == null) {
        return operation.get();
      }
      long start = System.nanoTime();
      var result = operation.get();
      observer.operation(name, input.shape(), result.shape(), flops, System.nanoTime() - start);
      return result;
    }
  }

  /// Sets how many bytes of weights may be kept in another form than the checkpoint's, which makes
  /// products faster; 2 GiB unless set. Weights that find no room are used where they lie, or,
  /// where that cannot be, brought into their form for each use. Weights that are quantized are
  /// kept in any case, and count.
  public void packingBudget(long bytes) {
    ctx.packed().budget(bytes);
  }

  /// Gives back the memory of weights in another form than the checkpoint's. They are brought into
  /// it again when they are next used.
  public void releaseWeights() {
    try (var _ = ops.owner().claim()) {
      ctx.packed().release();
    }
  }

  /// The type of the activations.
  public DType.Plain dtype() {
    return ctx.dtype();
  }

  public Ops ops() {
    return ops;
  }

  /// Gives back, when closed, what was taken from the workspace since.
  public Workspace.Scope scope() {
    return ops.scope();
  }

  /// A tensor of activations with undefined values.
  public Tensor empty(long... dims) {
    return ctx.empty(dims);
  }

  /// A copy of a plain tensor of any type and layout, in the activations' type, without gaps.
  public Tensor cast(Tensor x) {
    return observed("cast", 0, x, () -> Elementwise.cast(ctx, x, ctx.dtype()));
  }

  /// A copy of activations of any layout as F32, without gaps.
  public Tensor toF32(Tensor x) {
    return observed("toF32", 0, x, () -> Elementwise.cast(ctx, x, DType.Plain.F32));
  }

  /// The rows `ids` of a table (V, K) of any type: (T, K).
  ///
  /// @throws IndexOutOfBoundsException if an id is not a row of the table
  public Tensor embedding(int[] ids, Tensor table) {
    return observed("embedding", 0, table, () -> Elementwise.embedding(ctx, ids, table));
  }

  /// `x W^T + bias`: x (..., K), its rows perhaps further apart than K; result (..., N).
  public Tensor linear(Tensor x, LinearWeight w) {
    return linear(x, w, Epilogue.NONE);
  }

  /// `x W^T + bias` and what `epilogue` says; `columns` there are (B, N) for x (B, ..., K).
  public Tensor linear(Tensor x, LinearWeight w, Epilogue epilogue) {
    return observed(
        "linear", 2 * x.size() * w.outFeatures(), x, () -> Linear.layer(ctx, x, w, epilogue));
  }

  /// `y += x W^T + bias`, in place: x (..., K), y (..., N).
  public void addLinear(Tensor y, Tensor x, LinearWeight w) {
    var _ =
        observed("addLinear", 2 * x.size() * w.outFeatures(), x, () -> Linear.add(ctx, y, x, w));
  }

  /// `values * gelu(gates)`, where `x W^T + bias` (..., 2 C) holds values, then gates: the product
  /// and [#geglu] at once, without the gates in memory. Result (..., C).
  public Tensor linearGeglu(Tensor x, LinearWeight w) {
    return observed(
        "linearGeglu", 2 * x.size() * w.outFeatures(), x, () -> Linear.geglu(ctx, x, w));
  }

  /// `a b^T` for each batch: a (B, T, K), b (B, N, K), result (B, T, N).
  public Tensor matmulTransposed(Tensor a, Tensor b) {
    return observed(
        "matmulTransposed", 2 * a.size() * b.dim(1), a, () -> BatchedProduct.apply(ctx, a, b));
  }

  /// The convolution of x (B, H, W, C) that `w` describes: (B, outHeight, outWidth, O).
  public Tensor conv2d(Tensor x, ConvWeight w) {
    return conv2d(x, w, Epilogue.NONE);
  }

  /// The convolution of x (B, H, W, C) that `w` describes and what `epilogue` says.
  public Tensor conv2d(Tensor x, ConvWeight w, Epilogue epilogue) {
    return observed(
        "conv2d", Convolution.flops(x, w), x, () -> Convolution.apply(ctx, x, w, epilogue));
  }

  /// `y += ` the convolution of x (B, H, W, C) that `w` describes, in place: y (B, outHeight,
  /// outWidth, O).
  public void addConv2d(Tensor y, Tensor x, ConvWeight w) {
    var _ = observed("addConv2d", Convolution.flops(x, w), x, () -> Convolution.add(ctx, y, x, w));
  }

  /// The convolution of x (B, H, W, C) whose output channel c sees input channel c alone: the
  /// weight is (C, 1, kernelHeight, kernelWidth), the result (B, outHeight, outWidth, C).
  public Tensor depthwiseConv2d(Tensor x, ConvWeight w) {
    long flops = 2 * x.size() * w.kernelHeight() * w.kernelWidth() / w.stride() / w.stride();
    return observed("depthwiseConv2d", flops, x, () -> Depthwise.apply(ctx, x, w));
  }

  /// Layer normalization over the innermost dimension (Ba et al. 2016), for NHWC images SAM's
  /// LayerNorm2d: `(x - mean) / sqrt(variance + eps) * weight + bias`. x (..., C), weight and bias
  /// (C).
  public Tensor layerNorm(Tensor x, Tensor weight, Tensor bias, float eps) {
    return observed("layerNorm", 0, x, () -> Normalization.layer(ctx, x, weight, bias, eps));
  }

  /// Group normalization (Wu and He 2018) of x (B, ..., C) over the pixels and the channels of each
  /// of `groups` groups, then `activation`; weight and bias (C).
  public Tensor groupNorm(
      Tensor x, int groups, Tensor weight, Tensor bias, float eps, Activation activation) {
    return observed(
        "groupNorm",
        0,
        x,
        () -> Normalization.group(ctx, x, groups, weight, bias, eps, activation));
  }

  /// `activation` of each element.
  public Tensor activate(Tensor x, Activation activation) {
    return observed("activate", 0, x, () -> Elementwise.activate(ctx, x, activation));
  }

  /// The gated unit of GEGLU (Shazeer 2020): x (..., 2 C) holds values, then gates; result `values
  /// * gelu(gates)` (..., C).
  public Tensor geglu(Tensor x) {
    return observed("geglu", 0, x, () -> Elementwise.geglu(ctx, x));
  }

  /// `x + y`, where y's shape is x's or the end of it, and y is then repeated.
  public Tensor add(Tensor x, Tensor y) {
    return observed("add", 0, x, () -> Elementwise.add(ctx, x, y));
  }

  /// `x * y`, element by element, where y's shape is x's or the end of it, and y is then repeated.
  public Tensor mul(Tensor x, Tensor y) {
    return observed("mul", 0, x, () -> Elementwise.mul(ctx, x, y));
  }

  /// `x * factor`.
  public Tensor scale(Tensor x, float factor) {
    return observed("scale", 0, x, () -> Elementwise.scale(ctx, x, factor));
  }

  /// The tensors side by side in the innermost dimension: (..., C1), (..., C2) become (..., C1 +
  /// C2).
  public Tensor concat(Tensor... tensors) {
    return observed("concat", 0, tensors[0], () -> Elementwise.concat(ctx, tensors));
  }

  /// Attention of `heads` heads: `softmax(q k^T * scale) v` for each batch and head, block by
  /// block, never with all scores in memory. q (B, T, heads * K), k (B, S, heads * K), v (B, S,
  /// heads * V); batches and rows may be further apart than that, so q, k and v can be slices of
  /// one projection. Unless `spec` lets all queries see all keys, query and key `i` are of one
  /// position. Result (B, T, heads * V).
  public Tensor attention(Tensor q, Tensor k, Tensor v, int heads, AttentionSpec spec) {
    return observed(
        "attention", 4 * q.size() * k.dim(1), q, () -> Attention.apply(ctx, q, k, v, heads, spec));
  }

  /// The same within each of several texts of any lengths, whose rows lie one after the other: q, k
  /// and v (T, heads * C), perhaps with gaps between rows; result (T, heads * C).
  ///
  /// @param starts the row of each text's first token, in ascending order, and T at the end
  public Tensor attention(
      Tensor q, Tensor k, Tensor v, int[] starts, int heads, AttentionSpec spec) {
    return observed(
        "attention",
        Attention.flops(q, starts),
        q,
        () -> Attention.apply(ctx, q, k, v, starts, heads, spec));
  }

  /// x (B, H, W, C), padded at the bottom and right with copies of `fill` (C) to multiples of
  /// `size` (zeros where `fill` is null), as windows of size x size: (B * windows, size * size, C).
  public Tensor windowPartition(Tensor x, int size, Tensor fill) {
    return observed("windowPartition", 0, x, () -> Images.windowPartition(ctx, x, size, fill));
  }

  /// The opposite of [#windowPartition]: (B, height, width, C) without the padding.
  public Tensor windowUnpartition(Tensor windows, int size, long batch, long height, long width) {
    return observed(
        "windowUnpartition",
        0,
        windows,
        () -> Images.windowUnpartition(ctx, windows, size, batch, height, width));
  }

  /// Each pixel of x (B, H, W, C) twice in both directions: (B, 2 H, 2 W, C).
  public Tensor upsampleNearest2x(Tensor x) {
    return observed("upsampleNearest2x", 0, x, () -> Images.upsampleNearest2x(ctx, x));
  }

  /// The largest of each 2 x 2 pixels of x (B, H, W, C): (B, H / 2, W / 2, C), without a last odd
  /// row or column.
  public Tensor maxPool2x2(Tensor x) {
    return observed("maxPool2x2", 0, x, () -> Images.maxPool2x2(ctx, x));
  }

  /// Bilinear interpolation of x (B, H, W, C) to another size, with half-pixel centres and without
  /// antialiasing: torch's interpolate(mode="bilinear", align_corners=False).
  public Tensor resizeBilinear(Tensor x, int height, int width) {
    return observed("resizeBilinear", 0, x, () -> Images.resizeBilinear(ctx, x, height, width));
  }
}
