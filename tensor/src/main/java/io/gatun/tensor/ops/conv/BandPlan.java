package io.gatun.tensor.ops.conv;

import io.gatun.ffm.ConvolutionSpec;
import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.linear.PostOps;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Convolution through oneDNN, a band of output rows of one image at a time.
///
/// A band in the middle of an image reads the rows that its kernels overlap straight from the image
/// and has no padding above and below; those at the edges have the image's. So there are at most
/// four kinds of bands, each a convolution of its own size.
final class BandPlan implements ConvPlan {
  /// Bands for each thread, so that little is waited for at the end.
  private static final int BANDS_PER_THREAD = 4;

  /// The fewest output pixels that a call is worth.
  private static final int MIN_PIXELS = 128;

  private final ConvShape s;
  private final MemorySegment x;
  private final Epilogue epilogue;
  private final Tensor out;
  private final long bytes;
  private final MemorySegment bias;
  private final int bandRows;
  private final Map<Band, Call> calls = new HashMap<>();

  /// What the bands of one kind have in common.
  ///
  /// @param rows the input rows, without padding
  /// @param top the rows of padding above
  /// @param bottom the rows of padding below
  record Band(int rows, int top, int bottom) {}

  /// A convolution of images of one size.
  ///
  /// @param weights as the specification wants them
  record Call(ConvolutionSpec spec, MemorySegment weights) {
    /// @param outChannels those of a call
    /// @param to what the result is added to, if that is where it goes
    static Call of(
        Context ctx,
        ConvForms w,
        ConvShape s,
        Band band,
        int outChannels,
        Epilogue epilogue,
        Tensor to) {
      var type = ctx.elementType();
      var p = s.padding();
      var plain =
          new ConvolutionSpec(
              1,
              band.rows,
              s.width(),
              s.channels(),
              outChannels,
              s.kernelHeight(),
              s.kernelWidth(),
              s.stride(),
              new ConvolutionSpec.Padding(band.top, p.left(), band.bottom, p.right()),
              type,
              type,
              type,
              w.bias() == null ? null : ElementType.F32,
              null,
              PostOps.of(epilogue, type, to));
      var spec = plain.withLayout(OneDnn.packedLayout(plain));
      return new Call(spec, w.packed(spec));
    }
  }

  BandPlan(Context ctx, Tensor x, ConvForms w, ConvShape s, Epilogue epilogue, Tensor out) {
    this.s = s;
    this.x = x.segment();
    this.epilogue = epilogue;
    this.out = out;
    bytes = ctx.elementType().bytes();
    bias = w.bias();
    int wanted = BANDS_PER_THREAD * ctx.workers().threads();
    int bands = Math.clamp((long) s.batch() * s.outPixels() / MIN_PIXELS, 1, wanted);
    bandRows = Math.ceilDiv(s.outHeight(), Math.ceilDiv(bands, s.batch()));
    for (int row = 0; row < s.outHeight(); row += bandRows) {
      calls.computeIfAbsent(
          band(row), band -> Call.of(ctx, w, s, band, s.outChannels(), epilogue, out));
    }
  }

  private int bands() {
    return Math.ceilDiv(s.outHeight(), bandRows);
  }

  @Override
  public long tasks() {
    return (long) s.batch() * bands();
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

  @Override
  public void run(int worker, long task) {
    int image = (int) (task / bands());
    int row = (int) (task % bands()) * bandRows;
    var call = calls.get(band(row));
    long first = Math.max(0, firstInputRow(row));
    long source = ((long) image * s.height() + first) * s.width() * s.channels() * bytes;
    long target = ((long) image * s.outHeight() + row) * s.outWidth() * s.outChannels() * bytes;
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
        call.spec,
        x.asSlice(source),
        call.weights,
        out.segment().asSlice(target),
        Operands.bias(bias).withPostOps(others.toArray(MemorySegment[]::new)));
  }
}
