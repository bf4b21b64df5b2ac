package io.gatun.tensor.ops.attention;

import static io.gatun.tensor.sequence.CacheLayout.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.PlainTypes;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.sequence.KvLayout;
import io.gatun.tensor.sequence.KvPages;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Keys and values in the pages of their sequences.
public final class KeyValues {
  private final Context ctx;
  private final Tensor k;
  private final Tensor v;
  private final KvLayout kv;
  private final MemorySegment scratch;

  private KeyValues(Context ctx, Tensor k, Tensor v, KvLayout kv) {
    this.ctx = ctx;
    this.k = k;
    this.v = v;
    this.kv = kv;
    scratch = ctx.perWorker(kv.keyDim());
  }

  /// Stores k (T, G, K) and v (T, G, V) as the positions of their rows.
  public static void put(Context ctx, List<KvRows> rows, Tensor k, Tensor v) {
    var kv = rows.getFirst().pages().kv();
    check("k", k, kv.heads(), kv.keyDim());
    check("v", v, kv.heads(), kv.valueDim());
    Check.same("rows of v", v.dim(0), "rows of k", k.dim(0));
    try (var _ = ctx.scope()) {
      new KeyValues(ctx, k, v, kv).put(rows);
    }
  }

  private static void check(String name, Tensor x, int heads, int dim) {
    Check.rank(name, x, 3);
    Check.f32(name, x);
    Check.same("heads of " + name, x.dim(1), "heads of the cache", heads);
    Check.same("head size of " + name, x.dim(2), "head size of the cache", dim);
  }

  private void put(List<KvRows> all) {
    long perHead = k.dim(0) / all.size() * (kv.keyDim() + kv.valueDim()) / 2;
    ctx.each(
        (long) all.size() * kv.heads(),
        Context.grain(perHead),
        (worker, i) -> put(worker, all.get((int) (i / kv.heads())), (int) (i % kv.heads())));
  }

  private void put(int worker, KvRows rows, int head) {
    var pages = rows.pages();
    for (int t = 0; t < rows.rows(); t++) {
      int position = rows.position() + t;
      long row = (long) (rows.from() + t) * kv.heads() + head;
      if (pages.hasScales()) {
        putBytes(worker, pages, head, position, row);
      } else if (!putFloats(pages, head, position, row)) {
        pages.notFinite();
      }
    }
  }

  /// @return whether all are numbers of the cache's type
  private boolean putFloats(KvPages pages, int head, int position, long row) {
    int index = position / PAGE;
    int slot = position % PAGE;
    var page = pages.memory(index);
    var type = pages.dtype();
    float limit = type == DType.Plain.F16 ? 65504 : Float.MAX_VALUE;
    boolean finite = true;
    long keys = pages.keysAt(index, head);
    for (int c = 0; c < kv.keyDim(); c++) {
      float x = Floats.get(k.segment(), 4 * row * kv.keyDim(), c);
      finite &= Math.abs(x) <= limit;
      Floats.store(type, page, keys, (long) c * PAGE + slot, x);
    }
    long values = pages.valuesAt(index, head);
    for (int c = 0; c < kv.valueDim(); c++) {
      float x = Floats.get(v.segment(), 4 * row * kv.valueDim(), c);
      finite &= Math.abs(x) <= limit;
      Floats.store(type, page, values, (long) slot * kv.valueDim() + c, x);
    }
    return finite;
  }

  private void putBytes(int worker, KvPages pages, int head, int position, long row) {
    int index = position / PAGE;
    int slot = position % PAGE;
    var page = pages.memory(index);
    int n = kv.keyDim();
    long bytes = (long) worker * n;
    float keyScale = ctx.kernels().quantize(k.segment(), 4 * row * n, n, 0, scratch, bytes);
    long keys = pages.keysAt(index, head) + slot;
    for (int c = 0; c < n; c++) {
      page.set(JAVA_BYTE, keys + (long) c * PAGE, scratch.get(JAVA_BYTE, bytes + c));
    }
    int m = kv.valueDim();
    long values = pages.valuesAt(index, head) + (long) slot * m;
    float valueScale = ctx.kernels().quantize(v.segment(), 4 * row * m, m, 0, page, values);
    Floats.set(page, pages.keyScalesAt(index, head), slot, keyScale);
    Floats.set(page, pages.valueScalesAt(index, head), slot, valueScale);
  }

  /// Copies the key and the value of a head at a position as F32, one element at a time.
  static void get(
      KvPages pages,
      int head,
      int position,
      MemorySegment key,
      long keyAt,
      MemorySegment value,
      long valueAt) {
    var kv = pages.kv();
    int index = position / PAGE;
    var page = pages.memory(index);
    int slot = position % PAGE;
    float keyScale = 1;
    float valueScale = 1;
    if (pages.hasScales()) {
      keyScale = Floats.get(page, pages.keyScalesAt(index, head), slot);
      valueScale = Floats.get(page, pages.valueScalesAt(index, head), slot);
    }
    long keys = pages.keysAt(index, head);
    for (int c = 0; c < kv.keyDim(); c++) {
      float x = PlainTypes.get(pages.dtype(), page, keys, (long) c * PAGE + slot);
      Floats.set(key, keyAt, c, x * keyScale);
    }
    long values = pages.valuesAt(index, head);
    for (int c = 0; c < kv.valueDim(); c++) {
      float x = PlainTypes.get(pages.dtype(), page, values, (long) slot * kv.valueDim() + c);
      Floats.set(value, valueAt, c, x * valueScale);
    }
  }
}
