package io.gatun.tensor.ops.conv;

import io.gatun.ffm.ConvolutionSpec;
import io.gatun.ffm.ElementType;
import io.gatun.ffm.MappedFiles;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/// The weights of a convolution as those read them who compute it: made once and kept, unless there
/// is no room.
final class ConvForms {
  private enum Kind {
    BIAS,
    LINEAR,
    F32,
    BY_TAPS
  }

  /// Output channels that one worker packs at a time.
  private static final int PACKED_AT_ONCE = 64;

  /// Output channels that one worker transposes at a time: as many as fill a cache line.
  private static final int TRANSPOSED_AT_ONCE = 16;

  private final Context ctx;
  private final ConvWeight w;
  private final Tensor weight;

  // What this convolution has found no room to keep.
  private final Map<PackedLayout, MemorySegment> unkept = new HashMap<>();

  ConvForms(Context ctx, ConvWeight w) {
    this.ctx = ctx;
    this.w = w;
    weight = w.weight();
  }

  private <T> T kept(Kind kind, Class<T> type, Supplier<T> maker) {
    T form = ctx.packed().form(w, kind, type);
    return form != null ? form : ctx.packed().keep(w, kind, maker.get());
  }

  /// (O) F32; null for none.
  MemorySegment bias() {
    if (w.bias() == null) {
      return null;
    }
    return kept(
        Kind.BIAS,
        MemorySegment.class,
        () -> {
          var bias = ctx.packed().arena().allocate(4 * w.outChannels(), 64);
          Unpack.toFloat(w.bias().dtype(), w.bias().segment(), 0, bias, 0, w.outChannels());
          return bias;
        });
  }

  /// The weight in its own order as F32: for the reference.
  MemorySegment f32() {
    return kept(
        Kind.F32,
        MemorySegment.class,
        () -> convert(weight, ctx.packed().arena(), DType.Plain.F32));
  }

  /// (kernelHeight, kernelWidth, I, O) as F32: the right operand of a product with patches.
  MemorySegment byTaps() {
    return kept(
        Kind.BY_TAPS,
        MemorySegment.class,
        () -> {
          int taps = w.kernelHeight() * w.kernelWidth();
          int channels = Math.toIntExact(w.inChannels());
          int n = Math.toIntExact(w.outChannels());
          long filter = (long) channels * taps;
          var byTaps = ctx.packed().arena().allocate(4 * filter * n, 64);
          try (var _ = ctx.scope()) {
            long stride = 4 * filter * TRANSPOSED_AT_ONCE;
            var floats = ctx.perWorker(stride);
            ctx.each(
                Math.ceilDiv(n, TRANSPOSED_AT_ONCE),
                1,
                (worker, i) -> {
                  long first = i * TRANSPOSED_AT_ONCE;
                  int count = (int) Math.min(n - first, TRANSPOSED_AT_ONCE);
                  var rows = weight.slice(0, first, first + count);
                  long at = worker * stride;
                  Unpack.toFloat(rows.dtype(), rows.segment(), 0, floats, at, count * filter);
                  for (int c = 0; c < channels; c++) {
                    for (int tap = 0; tap < taps; tap++) {
                      long to = ((long) tap * channels + c) * n + first;
                      for (int o = 0; o < count; o++) {
                        long from = o * filter + (long) c * taps + tap;
                        Floats.set(byTaps, 0, to + o, Floats.get(floats, at, from));
                      }
                    }
                  }
                });
          }
          return byTaps;
        });
  }

  /// Whether kernels lie side by side, without overlap, gaps or padding: then each output pixel is
  /// a linear layer of a patch.
  boolean isPatchwise() {
    return w.kernelHeight() == w.stride()
        && w.kernelWidth() == w.stride()
        && w.padding().equals(ConvWeight.Padding.of(0))
        && weight.dtype() instanceof DType.Plain;
  }

  /// The linear layer of patches (kernelHeight, kernelWidth, I), for a weight that is patchwise.
  LinearWeight linear() {
    return kept(Kind.LINEAR, LinearWeight.class, () -> LinearWeight.of(patches(), w.bias()));
  }

  /// (O, kernelHeight kernelWidth I).
  private Tensor patches() {
    int n = Math.toIntExact(w.outChannels());
    int channels = Math.toIntExact(w.inChannels());
    int taps = w.kernelHeight() * w.kernelWidth();
    if (taps == 1) {
      return weight.reshape(n, channels);
    }
    var matrix = Tensor.allocate(Arena.ofAuto(), weight.dtype(), n, (long) taps * channels);
    long bytes = weight.dtype().blockBytes();
    for (long i = 0; i < weight.size(); i++) {
      long to = (i / channels / taps * taps + i % taps) * channels + i / taps % channels;
      MemorySegment.copy(weight.segment(), i * bytes, matrix.segment(), to * bytes, bytes);
    }
    return matrix;
  }

  /// The weight as `spec` wants it, in the workspace where there is no room to keep it.
  ///
  /// @param spec a convolution with these weights, or with slices of them that have fewer output
  ///   channels, with its layout
  /// @return the slices in the order of their channels, each of the layout's size
  MemorySegment packed(ConvolutionSpec spec) {
    var layout = spec.layout();
    var kept = ctx.packed().form(w, layout, MemorySegment.class);
    return kept != null ? kept : unkept.computeIfAbsent(layout, any -> pack(spec));
  }

  private MemorySegment pack(ConvolutionSpec spec) {
    ctx.packed().count();
    var layout = spec.layout();
    long bytes = w.outChannels() / spec.outChannels() * layout.byteSize();
    boolean keep = ctx.packed().reserve(bytes);
    var target = keep ? ctx.packed().arena().allocate(bytes, 64) : ctx.workspace().take(bytes);
    var part = layout.part(PACKED_AT_ONCE);
    var unit = part == null ? layout : part;
    long channels = part == null ? spec.outChannels() : PACKED_AT_ONCE;
    ctx.each(
        w.outChannels() / channels,
        1,
        (_, i) -> {
          var to = target.asSlice(i * unit.byteSize(), unit.byteSize());
          pack(spec.weights(), i * channels, channels, unit, to);
        });
    if (!keep) {
      return target;
    }
    MappedFiles.unload(weight.segment());
    return ctx.packed().keep(w, layout, target);
  }

  private void pack(
      ElementType type, long first, long channels, PackedLayout layout, MemorySegment to) {
    var rows = weight.slice(0, first, first + channels);
    var stored = WeightRows.packsFrom(weight);
    if (stored != null) {
      OneDnn.pack(stored, rows.segment(), layout, to);
      return;
    }
    var plain = type == ElementType.BF16 ? DType.Plain.BF16 : DType.Plain.F32;
    try (var arena = Arena.ofConfined()) {
      OneDnn.pack(type, convert(rows, arena, plain), layout, to);
    }
  }

  private static MemorySegment convert(Tensor t, Arena arena, DType.Plain type) {
    var copy = arena.allocate(t.size() * type.blockBytes(), 64);
    if (type == DType.Plain.BF16) {
      Unpack.toBf16(t.dtype(), t.segment(), 0, copy, 0, t.size());
    } else {
      Unpack.toFloat(t.dtype(), t.segment(), 0, copy, 0, t.size());
    }
    return copy;
  }
}
