package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.AttentionWeights;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Kernels;
import io.gatun.tensor.kernel.Unpack;
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
  private final float scale;
  private final Tensor out;
  private final DType.Plain dtype;

  // A worker's scratch: weights and scores, which begin a little later, sums (rows, C), products with positions, each row's greatest score
  // and total, zeros, what the products need, and, with one block of queries, a head's keys and
  // values.
  private final MemorySegment scratch;
  private final long scratchBytes;
  private final long sumsAt;
  private final long positionsAt;
  private final long maxAt;
  private final long totalAt;
  private final long zerosAt;
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
      boolean causal,
      float scale,
      Tensor out) {
    this.ops = f.ops();
    this.kernels = ops.kernels();
    this.s = sizes;
    this.products = products;
    this.table = table;
    this.causal = causal;
    this.scale = scale;
    this.out = out;
    this.dtype = f.dtype();
    int rows = s.queriesPerBlock();
    boolean one = s.queryBlocks() == 1;
    sumsAt = align(4L * rows * s.scoreStride() + AttentionWeights.GAP);
    positionsAt = align(sumsAt + 4L * rows * s.c());
    maxAt = align(positionsAt + (table == null ? 0 : 4L * rows * table.stride()));
    totalAt = align(maxAt + 4L * rows);
    zerosAt = align(totalAt + 4L * rows);
    productsAt = align(zerosAt + 4L * s.scoreStride());
    headAt = align(productsAt + products.scratchBytes());
    scratchBytes = align(headAt + (one ? products.preparedBytes() : 0)) + 64;
    scratch = ops.workspace().take(scratchBytes * ops.workers().threads());
    prepared =
        one
            ? null
            : ops.workspace().take(align(products.preparedBytes()) * s.batches() * s.heads());
  }

  private static long align(long bytes) {
    return bytes + 63 & -64;
  }

  void run() {
    for (int i = 0; i < ops.workers().threads(); i++) {
      scratch.asSlice(i * scratchBytes + zerosAt, 4L * s.scoreStride()).fill((byte) 0);
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
    for (int i = 0; i < rows; i++) {
      Floats.set(scratch, at + maxAt, i, Float.NEGATIVE_INFINITY);
      Floats.set(scratch, at + totalAt, i, 0);
    }
    for (int keyBlock = 0; keyBlock < s.keyBlocks(); keyBlock++) {
      int firstKey = keyBlock * s.keysPerBlock();
      if (causal && firstKey >= first + rows) {
        break;
      }
      products.scores(b, keyBlock, at + AttentionWeights.GAP);
      for (int i = 0; i < rows; i++) {
        weights(at, first, i, firstKey, s.keysIn(keyBlock));
      }
      products.values(b, keyBlock, at, at + sumsAt);
    }
    store(b, at);
  }

  /// Turns the scores of row `i` of a block into weights relative to the row's greatest score so
  /// far, and brings the sums of earlier blocks onto the same footing.
  private void weights(long at, int first, int i, int firstKey, int count) {
    long weights = at + 4L * i * s.scoreStride();
    long scores = weights + AttentionWeights.GAP;
    int visible = causal ? Math.clamp((long) first + i + 1 - firstKey, 0, count) : count;
    if (visible == 0) {
      zero(weights, 0, count);
      return;
    }
    int columns = table == null ? visible : table.gridWidth();
    int gridRows = visible / columns;
    long base = scratch.address();
    long heights = base + at + zerosAt;
    long widths = heights;
    if (table != null) {
      long positions = base + at + positionsAt + 4L * i * table.stride();
      heights = positions + 4L * (table.heightsOf(first + i) + firstKey / columns);
      widths = positions + 4L * table.widthsOf(first + i);
    }
    float old = Floats.get(scratch, at + maxAt, i);
    float max =
        Math.max(
            old,
            AttentionWeights.max(base + scores, gridRows, columns, scale, heights, widths));
    float total =
        products.bf16Weights()
            ? AttentionWeights.expToBf16(
                base + scores, gridRows, columns, scale, heights, widths, max)
            : AttentionWeights.exp(base + scores, gridRows, columns, scale, heights, widths, max);
    zero(weights, visible, count);
    if (max > old && firstKey > 0) {
      float factor = (float) Math.exp(old - max);
      long sums = at + sumsAt + 4L * i * s.c();
      kernels.scale(scratch, sums, factor, s.c(), scratch, sums);
      total += Floats.get(scratch, at + totalAt, i) * factor;
    } else {
      total += Floats.get(scratch, at + totalAt, i);
    }
    Floats.set(scratch, at + maxAt, i, max);
    Floats.set(scratch, at + totalAt, i, total);
  }

  /// Makes the weights of keys that a query does not see zero, and those beyond the last key that
  /// oneDNN multiplies with padding, which must not be NaN.
  private void zero(long weights, int from, int to) {
    int end = products.bf16Weights() ? Math.ceilDiv(to, 32) * 32 : to;
    if (from < end) {
      int bytes = products.bf16Weights() ? 2 : 4;
      scratch.asSlice(weights + (long) bytes * from, (long) bytes * (end - from)).fill((byte) 0);
    }
  }

  private void store(AttentionProducts.Block b, long at) {
    for (int i = 0; i < b.rows(); i++) {
      long sums = at + sumsAt + 4L * i * s.c();
      float factor = 1 / Floats.get(scratch, at + totalAt, i);
      long token = (long) b.batch() * s.queries() + b.first() + i;
      long to = (token * s.heads() + b.head()) * s.c();
      if (dtype == DType.Plain.F32) {
        kernels.scale(scratch, sums, factor, s.c(), out.segment(), 4 * to);
      } else {
        kernels.scale(scratch, sums, factor, s.c(), scratch, sums);
        Unpack.floatToBf16(scratch, sums, out.segment(), 2 * to, s.c());
      }
    }
  }
}
