package io.gatun.tensor.ops;

import io.gatun.ffm.ConvolutionSpec;
import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/// The weights of a two-dimensional convolution: as the checkpoint stores them, and, from the first
/// use on, in the form that convolutions here read fastest.
///
/// A weight belongs to one model and is used with one [Functional].
public final class ConvWeight {
  private final Tensor weight;
  private final Tensor bias;
  private final int stride;
  private final Padding padding;

  // Made when first asked for; the collector frees these with this object.
  private MemorySegment biasF32;
  private LinearWeight linear;

  // In memory of the Functional, which may give it back.
  private MemorySegment stored;
  private MemorySegment byTaps;
  private final Map<PackedLayout, MemorySegment> packed = new HashMap<>();

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

  /// O.
  public long outChannels() {
    return weight.dim(0);
  }

  /// I.
  public long inChannels() {
    return weight.dim(1);
  }

  int kernelHeight() {
    return Math.toIntExact(weight.dim(2));
  }

  int kernelWidth() {
    return Math.toIntExact(weight.dim(3));
  }

  int stride() {
    return stride;
  }

  Padding padding() {
    return padding;
  }

  /// (O); null for none.
  MemorySegment biasF32() {
    if (bias != null && biasF32 == null) {
      biasF32 = Arena.ofAuto().allocate(4 * bias.size(), 64);
      Unpack.toFloat(bias.dtype(), bias.segment(), 0, biasF32, 0, bias.size());
    }
    return biasF32;
  }

  /// The weight in its own order as F32: for the reference.
  MemorySegment f32(Context ctx) {
    if (!isAlive(stored)) {
      stored = convert(ctx.packed().arena(), DType.Plain.F32);
    }
    return stored;
  }

  /// (kernelHeight, kernelWidth, I, O) as F32: the right operand of a product with patches.
  MemorySegment byTaps(Context ctx) {
    if (!isAlive(byTaps)) {
      int taps = kernelHeight() * kernelWidth();
      int channels = Math.toIntExact(inChannels());
      int n = Math.toIntExact(outChannels());
      byTaps = ctx.packed().arena().allocate(4L * taps * channels * n, 64);
      try (var arena = Arena.ofConfined()) {
        var rows = convert(arena, DType.Plain.F32);
        for (int o = 0; o < n; o++) {
          for (int c = 0; c < channels; c++) {
            for (int tap = 0; tap < taps; tap++) {
              float value = Floats.get(rows, 0, ((long) o * channels + c) * taps + tap);
              Floats.set(byTaps, 0, ((long) tap * channels + c) * n + o, value);
            }
          }
        }
      }
    }
    return byTaps;
  }

  /// Whether kernels lie side by side, without overlap, gaps or padding: then each output pixel is
  /// a linear layer of a patch.
  boolean isPatchwise() {
    return kernelHeight() == stride
        && kernelWidth() == stride
        && padding.equals(Padding.of(0))
        && weight.dtype() instanceof DType.Plain;
  }

  /// The linear layer of patches (kernelHeight, kernelWidth, I), for a weight that is patchwise.
  LinearWeight asLinear() {
    if (linear == null) {
      int n = Math.toIntExact(outChannels());
      int channels = Math.toIntExact(inChannels());
      int taps = kernelHeight() * kernelWidth();
      var matrix = weight.reshape(n, (long) channels * taps);
      if (taps > 1) {
        matrix = Tensor.allocate(Arena.ofAuto(), weight.dtype(), n, (long) taps * channels);
        long bytes = weight.dtype().blockBytes();
        for (long i = 0; i < weight.size(); i++) {
          long to = (i / channels / taps * taps + i % taps) * channels + i / taps % channels;
          MemorySegment.copy(weight.segment(), i * bytes, matrix.segment(), to * bytes, bytes);
        }
      }
      linear = LinearWeight.of(matrix, bias);
    }
    return linear;
  }

  /// The weight as `spec` wants it, in memory of `f` for packed weights, or in its workspace where
  /// there is no room.
  ///
  /// @param spec a convolution with these weights, or with slices of them that have fewer output
  ///   channels, with its layout
  /// @return the slices in the order of their channels, each of the layout's size
  MemorySegment packed(Context ctx, ConvolutionSpec spec) {
    var layout = spec.layout();
    var kept = packed.get(layout);
    if (isAlive(kept)) {
      return kept;
    }
    long slices = outChannels() / spec.outChannels();
    long bytes = layout.byteSize();
    boolean keep = ctx.packed().reserve(slices * bytes);
    var target =
        keep
            ? ctx.packed().arena().allocate(slices * bytes, 64)
            : ctx.workspace().take(slices * bytes);
    var type = spec.weights() == ElementType.BF16 ? DType.Plain.BF16 : DType.Plain.F32;
    var direct = NativeWeight.packsFrom(weight);
    var stored = direct != null ? direct : spec.weights();
    try (var arena = Arena.ofConfined()) {
      var rows = direct != null ? weight.segment() : convert(arena, type);
      long stride = weight.size() / slices * stored.bytes();
      for (long i = 0; i < slices; i++) {
        var slice = rows.asSlice(i * stride, stride);
        OneDnn.pack(spec, stored, slice, layout, target.asSlice(i * bytes, bytes));
      }
    }
    if (keep) {
      packed.put(layout, target);
    }
    return target;
  }

  private static boolean isAlive(MemorySegment memory) {
    return memory != null && memory.scope().isAlive();
  }

  private MemorySegment convert(Arena arena, DType.Plain type) {
    var copy = arena.allocate(weight.size() * type.blockBytes(), 64);
    if (type == DType.Plain.BF16) {
      Unpack.toBf16(weight.dtype(), weight.segment(), 0, copy, 0, weight.size());
    } else {
      Unpack.toFloat(weight.dtype(), weight.segment(), 0, copy, 0, weight.size());
    }
    return copy;
  }
}
