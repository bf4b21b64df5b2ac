package io.gatun.tensor.ops;

import io.gatun.ffm.raw.RawMemory;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.AttentionScores;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToIntFunction;

/// Attention in blocks of queries by keys with a running softmax (FlashAttention, Dao et al. 2022),
/// so that scores stay in the second cache.
final class BlockAttention {
  private final Context ctx;
  private final Kernels kernels;
  private final AttentionSizes s;
  private final AttentionProducts products;
  private final RelativeTable table;
  private final boolean causal;

  // Within a window: what is added to a score by how far the key is from the query, for the
  // distance
  // 0 at entry `queries`. Else null.
  private final MemorySegment window;
  private final float scale;
  private final Tensor out;
  private final DType.Plain dtype;

  // A worker's scratch: scores and weights, sums (rows, C), products with positions, each row's
  // reference and total, what the products need, and, with one block of queries, a head's keys and
  // values.
  private final long scratchBytes;
  private final long sumsAt;
  private final long positionsAt;
  private final long referencesAt;
  private final long totalsAt;
  private final long productsAt;
  private final long headAt;

  // With several blocks of queries: all heads' keys and values.
  private final MemorySegment prepared;

  // Instead of products with positions, where there are none.
  private final MemorySegment zeros;

  /// @param table null without relative positions
  BlockAttention(
      Context ctx,
      AttentionSizes sizes,
      AttentionProducts products,
      RelativeTable table,
      AttentionBias bias,
      float scale,
      Tensor out) {
    this.ctx = ctx;
    this.kernels = ctx.kernels();
    this.s = sizes;
    this.products = products;
    this.table = table;
    this.causal = bias instanceof AttentionBias.Causal;
    this.window = bias instanceof AttentionBias.Window w ? window(w.distance()) : null;
    this.scale = scale;
    this.out = out;
    this.dtype = ctx.dtype();
    int rows = s.queriesPerBlock() + products.spareRows();
    boolean one = s.queryBlocks() == 1;
    sumsAt = align(4L * rows * s.scoreStride() + AttentionScores.GAP);
    positionsAt = align(sumsAt + 4L * rows * products.sumStride());
    referencesAt = align(positionsAt + (table == null ? 0 : 4L * rows * table.stride()));
    totalsAt = align(referencesAt + 4L * rows);
    productsAt = align(totalsAt + 4L * rows);
    headAt = align(productsAt + products.scratchBytes());
    scratchBytes = align(headAt + (one ? products.preparedBytes() : 0)) + 64;
    prepared =
        one
            ? null
            : ctx.workspace().take(align(products.preparedBytes()) * s.batches() * s.heads());
    zeros = table == null ? ctx.workspace().take(4L * s.scoreStride()).fill((byte) 0) : null;
  }

  /// With room to read a vector too far.
  private MemorySegment window(int distance) {
    int entries = 2 * s.queries() + 16;
    var table = ctx.workspace().take(4L * entries);
    for (int i = 0; i < entries; i++) {
      boolean seen = Math.abs((long) i - s.queries()) <= distance;
      Floats.set(table, 0, i, seen ? 0 : AttentionScores.UNSEEN);
    }
    return table;
  }

  private static long align(long bytes) {
    return bytes + 63 & -64;
  }

  /// A part of the work on one of several attentions.
  @FunctionalInterface
  private interface Part {
    /// @param scratch the worker's memory
    void run(BlockAttention attention, int index, MemorySegment scratch);
  }

  /// Computes attentions, which share the workers and their memory; the last ones begin first.
  static void run(Context ctx, List<BlockAttention> all) {
    share(
        ctx,
        all.stream().filter(a -> a.prepared != null).toList(),
        BlockAttention::heads,
        (a, i, scratch) ->
            a.products.prepare(i / a.s.heads(), i % a.s.heads(), a.prepared, a.preparedAt(i)));
    share(
        ctx,
        all,
        a -> a.heads() * a.s.queryBlocks(),
        (a, i, scratch) ->
            a.block(i / a.s.queryBlocks(), i % a.s.queryBlocks() * a.s.queriesPerBlock(), scratch));
  }

  private static void share(
      Context ctx, List<BlockAttention> all, ToIntFunction<BlockAttention> parts, Part part) {
    var ends = new int[all.size()];
    int sum = 0;
    long bytes = 0;
    for (int i = 0; i < ends.length; i++) {
      sum = Math.addExact(sum, parts.applyAsInt(all.get(i)));
      ends[i] = sum;
      bytes = Math.max(bytes, all.get(i).scratchBytes);
    }
    int count = sum;
    long stride = bytes;
    var memory = ctx.perWorker(stride);
    ctx.forEach(
        count,
        1,
        (worker, from, to) -> {
          var scratch = memory.asSlice(worker * stride, stride);
          for (long task = from; task < to; task++) {
            int index = (int) (count - 1 - task);
            int found = Arrays.binarySearch(ends, index + 1);
            int which = found < 0 ? -1 - found : found;
            part.run(all.get(which), index - (which == 0 ? 0 : ends[which - 1]), scratch);
          }
        });
  }

  /// Of all batches.
  private int heads() {
    return s.batches() * s.heads();
  }

  private long preparedAt(int head) {
    return head * align(products.preparedBytes());
  }

  /// @param index counts the heads of all batches
  private void block(int index, int first, MemorySegment scratch) {
    int rows = Math.min(s.queriesPerBlock(), s.queries() - first);
    int batch = index / s.heads();
    int head = index % s.heads();
    if (prepared == null) {
      products.prepare(batch, head, scratch, headAt);
    }
    var b =
        new AttentionProducts.Block(
            batch,
            head,
            first,
            rows,
            prepared == null ? scratch : prepared,
            prepared == null ? headAt : preparedAt(index),
            scratch,
            productsAt);
    products.begin(b);
    if (table != null) {
      products.positions(b, positionsAt);
    }
    // Relative to some of its scores a row's weights seldom overflow.
    if (!weigh(b, true)) {
      for (int keyBlock = 0; keyBlock < keyBlocks(b); keyBlock++) {
        products.scores(b, keyBlock, AttentionScores.GAP);
        scores(b, keyBlock).greatest();
      }
      weigh(b, false);
    }
    store(b);
  }

  /// Sums up the weighted values of a block of queries.
  ///
  /// @param sample whether some scores of the first block of keys become the references
  /// @return whether no row's weights have overflowed
  private boolean weigh(AttentionProducts.Block b, boolean sample) {
    for (int keyBlock = 0; keyBlock < keyBlocks(b); keyBlock++) {
      products.scores(b, keyBlock, AttentionScores.GAP);
      var scores = scores(b, keyBlock);
      if (sample && keyBlock == 0) {
        scores.sample();
      }
      scores.weights(products.bf16Weights());
      products.values(b, keyBlock, 0, sumsAt);
    }
    return kernels.max(b.scratch(), totalsAt, b.rows()) < AttentionScores.GREATEST_TOTAL;
  }

  /// The blocks of keys of which the last query sees any.
  private int keyBlocks(AttentionProducts.Block b) {
    return causal ? Math.ceilDiv(b.first() + b.rows(), s.keysPerBlock()) : s.keyBlocks();
  }

  private AttentionScores scores(AttentionProducts.Block b, int keyBlock) {
    long base = b.scratch().address();
    return new AttentionScores(
        base + AttentionScores.GAP,
        4L * s.scoreStride(),
        b.rows(),
        b.first(),
        s.keysIn(keyBlock),
        keyBlock * s.keysPerBlock(),
        scale,
        causal,
        table == null ? zeros.address() : base + positionsAt,
        window == null
            ? 0
            : window.address() + 4L * (s.queries() - b.first() + keyBlock * s.keysPerBlock()),
        table == null ? 0 : 4L * table.stride(),
        table == null ? 0 : table.gridHeight(),
        table == null ? 0 : table.gridWidth(),
        base + referencesAt,
        base + totalsAt);
  }

  private void store(AttentionProducts.Block b) {
    long bytes = dtype.blockBytes();
    long token = (long) b.batch() * s.queries() + b.first();
    long row = (long) s.heads() * s.c() * bytes;
    long from = token * row + (long) b.head() * s.c() * bytes;
    long extent = (b.rows() - 1) * row + s.c() * bytes;
    scores(b, 0)
        .divide(
            b.scratch().address() + sumsAt,
            4L * products.sumStride(),
            s.c(),
            RawMemory.address(out.segment(), from, extent),
            row,
            dtype == DType.Plain.BF16);
  }
}
