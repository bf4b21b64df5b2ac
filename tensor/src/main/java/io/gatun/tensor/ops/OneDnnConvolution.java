package io.gatun.tensor.ops;

import io.gatun.ffm.ConvolutionSpec;
import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.ffm.PackedLayout;
import io.gatun.ffm.PostOp;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Convolution through oneDNN, a band of output rows of one image at a time; where images are small
/// and weights are large, whole images and a slice of the output channels at a time, whose weights
/// then stay in the second cache from one image to the next.
///
/// A band in the middle of an image reads the rows that its kernels overlap straight from the image
/// and has no padding above and below; those at the edges have the image's. So there are at most
/// four kinds of bands, each a convolution of its own size.
final class OneDnnConvolution {
  /// Bands for each thread, so that little is waited for at the end.
  private static final int BANDS_PER_THREAD = 4;

  /// The fewest output pixels that a call is worth.
  private static final int MIN_PIXELS = 128;

  /// Weights of fewer bytes are read again for each band.
  private static final long SLICED_BYTES = 8 << 20;

  /// The most output pixels of an image that is not divided into bands.
  private static final int SLICED_PIXELS = 256;

  /// Output channels in a slice.
  private static final int SLICE = 32;

  private final Context ctx;
  private final Tensor x;
  private final ConvWeight w;
  private final ConvShape s;
  private final Epilogue epilogue;
  private final Tensor out;
  private final ElementType type;
  private final MemorySegment bias;
  private final int bandRows;
  private final int slice;
  private final MemorySegment scratch;
  private final Map<Band, Plan> plans = new HashMap<>();
  private final Map<PackedLayout, MemorySegment> weights = new HashMap<>();

  /// What the bands of one kind have in common.
  ///
  /// @param rows the input rows, without padding
  /// @param top the rows of padding above
  /// @param bottom the rows of padding below
  private record Band(int rows, int top, int bottom) {}

  /// @param weights of all slices, one behind the other
  private record Plan(ConvolutionSpec spec, MemorySegment weights) {
    long weightBytes() {
      return spec.layout().byteSize();
    }
  }

  OneDnnConvolution(
      Context ctx, Tensor x, ConvWeight w, ConvShape s, Epilogue epilogue, Tensor out) {
    this.ctx = ctx;
    this.x = x;
    this.w = w;
    this.s = s;
    this.epilogue = epilogue;
    this.out = out;
    type = ctx.elementType();
    bias = w.biasF32();
    slice = slice();
    if (isSliced()) {
      bandRows = s.outHeight();
      scratch = ctx.perWorker(scratchBytes());
      plans.put(band(0), plan(band(0)));
      return;
    }
    scratch = null;
    int wanted = BANDS_PER_THREAD * ctx.workers().threads();
    int bands = Math.clamp((long) s.batch() * s.outPixels() / MIN_PIXELS, 1, wanted);
    bandRows = Math.ceilDiv(s.outHeight(), Math.ceilDiv(bands, s.batch()));
    for (int row = 0; row < s.outHeight(); row += bandRows) {
      plans.computeIfAbsent(band(row), this::plan);
    }
  }

  /// The output channels of a slice; all, where there is one slice.
  private int slice() {
    long bytes = (long) s.taps() * s.channels() * s.outChannels() * type.bytes();
    boolean sliced =
        bytes > SLICED_BYTES
            && s.outPixels() <= SLICED_PIXELS
            && s.stride() == 1
            && s.outChannels() % SLICE == 0;
    return sliced ? SLICE : s.outChannels();
  }

  private boolean isSliced() {
    return slice < s.outChannels();
  }

  private long scratchBytes() {
    return (long) s.outPixels() * slice * type.bytes() + 63 & -64;
  }

  void run() {
    if (isSliced()) {
      ctx.forEach(
          (long) s.outChannels() / slice * s.batch(),
          s.batch(),
          (worker, from, to) -> {
            for (long task = from; task < to; task++) {
              slice(worker, (int) (task % s.batch()), (int) (task / s.batch()));
            }
          });
      return;
    }
    int bands = Math.ceilDiv(s.outHeight(), bandRows);
    ctx.forEach(
        (long) s.batch() * bands,
        1,
        (worker, from, to) -> {
          for (long task = from; task < to; task++) {
            band((int) (task / bands), (int) (task % bands) * bandRows);
          }
        });
  }

  private int firstInputRow(int row) {
    return row * s.stride() - s.padding().top();
  }

  /// The band whose first output row is `row`.
  private Band band(int row) {
    int rows = Math.min(bandRows, s.outHeight() - row);
    int first = firstInputRow(row);
    int end = firstInputRow(row + rows - 1) + s.kernelHeight();
    int top = Math.max(0, -first);
    int bottom = Math.max(0, end - s.height());
    return new Band(end - bottom - first - top, top, bottom);
  }

  private Plan plan(Band band) {
    var p = s.padding();
    var spec =
        new ConvolutionSpec(
            1,
            band.rows,
            s.width(),
            s.channels(),
            slice,
            s.kernelHeight(),
            s.kernelWidth(),
            s.stride(),
            new ConvolutionSpec.Padding(band.top, p.left(), band.bottom, p.right()),
            1,
            type,
            type,
            type,
            bias == null ? null : ElementType.F32,
            null,
            postOps());
    var packed = spec.withLayout(OneDnn.packedLayout(spec));
    return new Plan(packed, weights.computeIfAbsent(packed.layout(), any -> w.packed(ctx, packed)));
  }

  private List<PostOp> postOps() {
    // What a slice is added to was copied to where its result goes.
    var result = isSliced() ? epilogue.residual() : out;
    return NativeLinear.postOps(epilogue, type, result);
  }

  /// One image's channels from `index * slice` on, through scratch memory without gaps between the
  /// pixels.
  private void slice(int worker, int image, int index) {
    var plan = plans.get(band(0));
    long bytes = type.bytes();
    long source = (long) image * s.height() * s.width() * s.channels() * bytes;
    long first = (long) index * slice;
    var target = scratch.asSlice(worker * scratchBytes(), scratchBytes());
    long result = ((long) image * s.outPixels() * s.outChannels() + first) * bytes;
    if (epilogue.residual() != null) {
      var residual = epilogue.residual().segment();
      copyPixels(residual, result, s.outChannels(), target, 0, slice);
    }
    var columns = epilogue.columns();
    OneDnn.convolution(
        plan.spec,
        x.segment().asSlice(source),
        plan.weights.asSlice(index * plan.weightBytes()),
        target,
        Operands.bias(bias == null ? null : bias.asSlice(4 * first))
            .withPostOps(
                columns == null
                    ? new MemorySegment[0]
                    : new MemorySegment[] {
                      columns.segment().asSlice((image * columns.dim(1) + first) * bytes)
                    }));
    copyPixels(target, 0, slice, out.segment(), result, s.outChannels());
  }

  /// Copies `slice` channels of each pixel of an image.
  ///
  /// @param distance elements from a pixel to the next
  private void copyPixels(
      MemorySegment from, long at, int distance, MemorySegment to, long toAt, int toDistance) {
    long bytes = type.bytes();
    for (long pixel = 0; pixel < s.outPixels(); pixel++) {
      long source = at + pixel * distance * bytes;
      long target = toAt + pixel * toDistance * bytes;
      MemorySegment.copy(from, source, to, target, slice * bytes);
    }
  }

  private void band(int image, int row) {
    var band = band(row);
    var plan = plans.get(band);
    long first = Math.max(0, firstInputRow(row));
    long bytes = type.bytes();
    long source = ((long) image * s.height() + first) * s.width() * s.channels() * bytes;
    long target = ((long) image * s.outHeight() + row) * s.outWidth() * s.outChannels() * bytes;
    var operands = Operands.bias(bias);
    var columns = epilogue.columns();
    var residual = epilogue.residual();
    List<MemorySegment> others = new ArrayList<>(2);
    if (columns != null) {
      others.add(columns.segment().asSlice(image * columns.dim(1) * bytes));
    }
    if (residual != null && !epilogue.inPlace(out)) {
      others.add(residual.segment().asSlice(target));
    }
    OneDnn.convolution(
        plan.spec,
        x.segment().asSlice(source),
        plan.weights,
        out.segment().asSlice(target),
        operands.withPostOps(others.toArray(MemorySegment[]::new)));
  }
}
