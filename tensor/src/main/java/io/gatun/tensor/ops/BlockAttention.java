package io.gatun.tensor.ops;

import io.gatun.ffm.raw.RawMemory;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.AttentionScores;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Kernels;
import java.lang.foreign.MemorySegment;

/// Attention in blocks of queries by keys with a running softmax (FlashAttention, Dao et al. 2022),
/// so that scores stay in the second cache.
final class BlockAttention {
  private final Ops ops;
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

  // A worker's scratch: scores and weights, sums (rows, C), products with positions or zeros, each
  // row's reference and total, what the products need, and, with one block of queries, a head's
  // keys and values.
  private final MemorySegment scratch;
  private final long scratchBytes;
  private final long sumsAt;
  private final long positionsAt;
  private final long referencesAt;
  private final long totalsAt;
  private final long productsAt;
  private final long headAt;

  // With several blocks of queries: all heads' keys and values.
  private final MemorySegment prepared;

  /// @param table null without relative positions
  BlockAttention(
      Functional f,
      AttentionSizes sizes,
      AttentionProducts products,
      RelativeTable table,
      AttentionBias bias,
      float scale,
      Tensor out) {
    this.ops = f.ops();
    this.kernels = ops.kernels();
    this.s = sizes;
    this.products = products;
    this.table = table;
    this.causal = bias instanceof AttentionBias.Causal;
    this.window = bias instanceof AttentionBias.Window w ? window(w.distance()) : null;
    this.scale = scale;
    this.out = out;
    this.dtype = f.dtype();
    int rows = s.queriesPerBlock();
    boolean one = s.queryBlocks() == 1;
    sumsAt = align(4L * rows * s.scoreStride() + AttentionScores.GAP);
    positionsAt = align(sumsAt + 4L * rows * s.c());
    long positions = table == null ? s.scoreStride() : (long) rows * table.stride();
    referencesAt = align(positionsAt + 4 * positions);
    totalsAt = align(referencesAt + 4L * rows);
    productsAt = align(totalsAt + 4L * rows);
    headAt = align(productsAt + products.scratchBytes());
    scratchBytes = align(headAt + (one ? products.preparedBytes() : 0)) + 64;
    scratch = ops.workspace().take(scratchBytes * ops.workers().threads());
    prepared =
        one
            ? null
            : ops.workspace().take(align(products.preparedBytes()) * s.batches() * s.heads());
  }

  /// With room to read a vector too far.
  private MemorySegment window(int distance) {
    int entries = 2 * s.queries() + 16;
    var table = ops.workspace().take(4L * entries);
    for (int i = 0; i < entries; i++) {
      boolean seen = Math.abs((long) i - s.queries()) <= distance;
      Floats.set(table, 0, i, seen ? 0 : AttentionScores.UNSEEN);
    }
    return table;
  }

  private static long align(long bytes) {
    return bytes + 63 & -64;
  }

  void run() {
    for (int i = 0; table == null && i < ops.workers().threads(); i++) {
      fill(i * scratchBytes + positionsAt, s.scoreStride(), 0);
    }
    int heads = s.batches() * s.heads();
    if (prepared != null) {
      ops.workers()
          .forEach(
              heads,
              1,
              (worker, from, to) -> {
                for (int i = (int) from; i < to; i++) {
                  products.prepare(i / s.heads(), i % s.heads(), prepared, preparedAt(i));
                }
              });
    }
    ops.workers()
        .forEach(
            (long) heads * s.queryBlocks(),
            1,
            (worker, from, to) -> {
              for (long task = from; task < to; task++) {
                int head = (int) (task / s.queryBlocks());
                block(worker, head, (int) (task % s.queryBlocks()) * s.queriesPerBlock());
              }
            });
  }

  private long preparedAt(int head) {
    return head * align(products.preparedBytes());
  }

  /// @param index counts the heads of all batches
  private void block(int worker, int index, int first) {
    int rows = Math.min(s.queriesPerBlock(), s.queries() - first);
    int batch = index / s.heads();
    int head = index % s.heads();
    long at = worker * scratchBytes;
    if (prepared == null) {
      products.prepare(batch, head, scratch, at + headAt);
    }
    var b =
        new AttentionProducts.Block(
            batch,
            head,
            first,
            rows,
            prepared == null ? scratch : prepared,
            prepared == null ? at + headAt : preparedAt(index),
            scratch,
            at + productsAt);
    products.begin(b);
    if (table != null) {
      products.positions(b, at + positionsAt);
    }
    // Relative to some of its scores a row's weights seldom overflow.
    if (!weigh(b, at, true)) {
      for (int keyBlock = 0; keyBlock < keyBlocks(b); keyBlock++) {
        products.scores(b, keyBlock, at + AttentionScores.GAP);
        scores(b, keyBlock, at).greatest();
      }
      weigh(b, at, false);
    }
    store(b, at);
  }

  /// Sums up the weighted values of a block of queries.
  ///
  /// @param sample whether some scores of the first block of keys become the references
  /// @return whether no row's weights have overflowed
  private boolean weigh(AttentionProducts.Block b, long at, boolean sample) {
    for (int keyBlock = 0; keyBlock < keyBlocks(b); keyBlock++) {
      products.scores(b, keyBlock, at + AttentionScores.GAP);
      var scores = scores(b, keyBlock, at);
      if (sample && keyBlock == 0) {
        scores.sample();
      }
      scores.weights(products.bf16Weights());
      products.values(b, keyBlock, at, at + sumsAt);
    }
    return kernels.max(scratch, at + totalsAt, b.rows()) < AttentionScores.GREATEST_TOTAL;
  }

  /// The blocks of keys of which the last query sees any.
  private int keyBlocks(AttentionProducts.Block b) {
    return causal ? Math.ceilDiv(b.first() + b.rows(), s.keysPerBlock()) : s.keyBlocks();
  }

  private AttentionScores scores(AttentionProducts.Block b, int keyBlock, long at) {
    long base = scratch.address() + at;
    return new AttentionScores(
        base + AttentionScores.GAP,
        4L * s.scoreStride(),
        b.rows(),
        b.first(),
        s.keysIn(keyBlock),
        keyBlock * s.keysPerBlock(),
        scale,
        causal,
        base + positionsAt,
        window == null
            ? 0
            : window.address() + 4L * (s.queries() - b.first() + keyBlock * s.keysPerBlock()),
        table == null ? 0 : 4L * table.stride(),
        table == null ? 0 : table.gridHeight(),
        table == null ? 0 : table.gridWidth(),
        base + referencesAt,
        base + totalsAt);
  }

  private void fill(long at, int count, float value) {
    for (int i = 0; i < count; i++) {
      Floats.set(scratch, at, i, value);
    }
  }

  private void store(AttentionProducts.Block b, long at) {
    long bytes = dtype.blockBytes();
    long token = (long) b.batch() * s.queries() + b.first();
    long row = (long) s.heads() * s.c() * bytes;
    long from = token * row + (long) b.head() * s.c() * bytes;
    long extent = (b.rows() - 1) * row + s.c() * bytes;
    scores(b, 0, at)
        .divide(
            scratch.address() + at + sumsAt,
            s.c(),
            RawMemory.address(out.segment(), from, extent),
            row,
            dtype == DType.Plain.BF16);
  }
}
