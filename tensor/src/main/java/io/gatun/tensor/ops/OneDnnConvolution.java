package io.gatun.tensor.ops;

import io.gatun.ffm.ConvolutionSpec;
import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.ffm.PackedLayout;
import io.gatun.tensor.Tensor;
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
final class OneDnnConvolution {
  /// Bands for each thread, so that little is waited for at the end.
  private static final int BANDS_PER_THREAD = 4;

  /// The fewest output pixels that a call is worth.
  private static final int MIN_PIXELS = 128;

  private final Functional f;
  private final Tensor x;
  private final ConvWeight w;
  private final ConvShape s;
  private final Epilogue epilogue;
  private final Tensor out;
  private final ElementType type;
  private final MemorySegment bias;
  private final int bandRows;
  private final Map<Band, Plan> plans = new HashMap<>();
  private final Map<PackedLayout, MemorySegment> weights = new HashMap<>();

  /// What the bands of one kind have in common.
  ///
  /// @param rows the input rows, without padding
  /// @param top the rows of padding above
  /// @param bottom the rows of padding below
  private record Band(int rows, int top, int bottom) {}

  private record Plan(ConvolutionSpec spec, MemorySegment weights) {}

  OneDnnConvolution(
      Functional f, Tensor x, ConvWeight w, ConvShape s, Epilogue epilogue, Tensor out) {
    this.f = f;
    this.x = x;
    this.w = w;
    this.s = s;
    this.epilogue = epilogue;
    this.out = out;
    type = f.elementType();
    bias = w.biasF32();
    int wanted = BANDS_PER_THREAD * f.ops().workers().threads();
    int bands = Math.clamp((long) s.batch() * s.outPixels() / MIN_PIXELS, 1, wanted);
    bandRows = Math.ceilDiv(s.outHeight(), Math.ceilDiv(bands, s.batch()));
    for (int row = 0; row < s.outHeight(); row += bandRows) {
      plans.computeIfAbsent(band(row), this::plan);
    }
  }

  void run() {
    int bands = Math.ceilDiv(s.outHeight(), bandRows);
    f.ops()
        .workers()
        .forEach(
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
            s.outChannels(),
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
            NativeLinear.postOps(epilogue, type, out));
    var packed = spec.withLayout(OneDnn.packedLayout(spec));
    return new Plan(packed, weights.computeIfAbsent(packed.layout(), any -> w.packed(f, packed)));
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
