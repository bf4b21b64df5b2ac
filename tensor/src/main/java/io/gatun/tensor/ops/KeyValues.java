package io.gatun.tensor.ops;

import static io.gatun.tensor.ops.SequenceLayout.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Stores keys and values in the pages of their sequences.
final class KeyValues {
  private final Context ctx;
  private final Tensor k;
  private final Tensor v;
  private final int part;
  private final KvLayout kv;
  private final MemorySegment scratch;

  private KeyValues(Context ctx, Tensor k, Tensor v, int part, KvLayout kv) {
    this.ctx = ctx;
    this.k = k;
    this.v = v;
    this.part = part;
    this.kv = kv;
    scratch = ctx.perWorker((long) kv.keyDim());
  }

  static void put(Context ctx, List<Span> spans, int part, Tensor k, Tensor v) {
    var kv = spans.getFirst().sequence().layout().kv(part);
    check("k", k, kv.heads(), kv.keyDim());
    check("v", v, kv.heads(), kv.valueDim());
    Check.same("rows of v", v.dim(0), "rows of k", k.dim(0));
    Span.check(spans, part, kv, k.dim(0));
    try (var _ = ctx.scope()) {
      new KeyValues(ctx, k, v, part, kv).put(spans);
    }
  }

  private static void check(String name, Tensor x, int heads, int dim) {
    Check.rank(name, x, 3);
    Check.f32(name, x);
    Check.same("heads of " + name, x.dim(1), "heads of the cache", heads);
    Check.same("head size of " + name, x.dim(2), "head size of the cache", dim);
  }

  private void put(List<Span> spans) {
    long perHead = k.dim(0) / spans.size() * (kv.keyDim() + kv.valueDim()) / 2;
    ctx.forEach(
        (long) spans.size() * kv.heads(),
        Context.grain(perHead),
        (worker, from, to) -> {
          for (long i = from; i < to; i++) {
            put(worker, spans.get((int) (i / kv.heads())), (int) (i % kv.heads()));
          }
        });
  }

  private void put(int worker, Span span, int head) {
    var sequence = span.sequence();
    var layout = sequence.layout();
    for (int t = 0; t < span.rows(); t++) {
      int position = span.position() + t;
      var page = sequence.page(position / PAGE);
      int slot = position % PAGE;
      long row = (long) (span.from() + t) * kv.heads() + head;
      if (layout.hasScales()) {
        putBytes(worker, layout, page, head, slot, row);
      } else if (!putFloats(layout, page, head, slot, row)) {
        sequence.markNotFinite();
      }
    }
  }

  /// @return whether all are numbers of the cache's type
  private boolean putFloats(
      SequenceLayout layout, MemorySegment page, int head, int slot, long row) {
    var type = layout.dtype();
    float limit = type == DType.Plain.F16 ? 65504 : Float.MAX_VALUE;
    boolean finite = true;
    long keys = layout.keysAt(part, head);
    for (int c = 0; c < kv.keyDim(); c++) {
      float x = Floats.get(k.segment(), 4 * row * kv.keyDim(), c);
      finite &= Math.abs(x) <= limit;
      Floats.store(type, page, keys, (long) c * PAGE + slot, x);
    }
    long values = layout.valuesAt(part, head);
    for (int c = 0; c < kv.valueDim(); c++) {
      float x = Floats.get(v.segment(), 4 * row * kv.valueDim(), c);
      finite &= Math.abs(x) <= limit;
      Floats.store(type, page, values, (long) slot * kv.valueDim() + c, x);
    }
    return finite;
  }

  private void putBytes(
      int worker, SequenceLayout layout, MemorySegment page, int head, int slot, long row) {
    int n = kv.keyDim();
    long bytes = (long) worker * n;
    float keyScale = ctx.kernels().quantize(k.segment(), 4 * row * n, n, scratch, bytes);
    long keys = layout.keysAt(part, head) + slot;
    for (int c = 0; c < n; c++) {
      page.set(JAVA_BYTE, keys + (long) c * PAGE, scratch.get(JAVA_BYTE, bytes + c));
    }
    int m = kv.valueDim();
    long values = layout.valuesAt(part, head) + (long) slot * m;
    float valueScale = ctx.kernels().quantize(v.segment(), 4 * row * m, m, page, values);
    Floats.set(page, layout.keyScalesAt(part, head), slot, keyScale);
    Floats.set(page, layout.valueScalesAt(part, head), slot, valueScale);
  }
}
