package io.gatun.tensor.ops.attention;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.AttentionScores;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToIntFunction;

/// Attention in blocks of queries by keys with a running softmax (FlashAttention, Dao et al. 2022),
/// so that scores stay in the second cache and no matrix of T x S of them ever exists.
///
/// The workers share the heads of keys and the blocks of queries. Where there is one block, as in
/// decoding, they also share the positions, and what each part of them gives is merged
/// (Flash-Decoding, Dao et al. 2023). Blocks and parts have a fixed length, so results depend
/// neither on timing nor on the number of threads.
final class FlashAttention {
  private final Kernels kernels;
  private final AttentionShape s;
  private final AttentionSpec spec;
  private final AttentionProducts products;
  private final RelativeTable table;
  private final Tensor out;

  // Where the softmax of a block stands: sums (rows, V), and each row's reference and total.
  private final long referencesAt;
  private final long totalsAt;
  private final long stateBytes;

  // A worker's scratch: scores and weights, a state, products with positions, what the products
  // need, and, with one block of queries, what is prepared for it.
  private final long stateAt;
  private final long positionsAt;
  private final long productsAt;
  private final long preparedAt;
  private final long scratchBytes;

  // Common memory, and where in it the states of parts, or what is prepared for all heads, begins.
  private MemorySegment memory;
  private long commonAt;

  /// @param table null without relative positions
  /// @param out (B, T, H * V) or (T, H, V) without gaps
  FlashAttention(
      Context ctx,
      AttentionShape shape,
      AttentionSpec spec,
      AttentionProducts products,
      RelativeTable table,
      Tensor out) {
    this.kernels = ctx.kernels();
    this.s = shape;
    this.spec = spec;
    this.products = products;
    this.table = table;
    this.out = out;
    int rows = s.rowsPerBlock() + products.spareRows();
    referencesAt = align(4L * rows * products.sumStride());
    totalsAt = align(referencesAt + 4L * rows);
    stateBytes = align(totalsAt + 4L * rows);
    stateAt = align(AttentionScores.GAP + 4L * rows * s.scoreStride());
    positionsAt = stateAt + stateBytes;
    productsAt = align(positionsAt + (table == null ? 0 : 4L * rows * table.stride()));
    preparedAt = align(productsAt + products.scratchBytes());
    scratchBytes = preparedAt + (isPreparedOnce() ? 0 : align(products.preparedBytes())) + 64;
  }

  private static long align(long bytes) {
    return bytes + 63 & -64;
  }

  /// Whether heads are prepared for several blocks of queries.
  private boolean isPreparedOnce() {
    return s.queryBlocks() > 1 && products.preparedBytes() > 0;
  }

  /// What the workers need in common.
  private long commonBytes() {
    if (s.parts() > 1) {
      return heads() * s.parts() * stateBytes;
    }
    return isPreparedOnce() ? heads() * align(products.preparedBytes()) : 0;
  }

  /// Of keys, in all batches.
  private int heads() {
    return s.batches() * s.heads();
  }

  /// A part of the work on one of several attentions.
  @FunctionalInterface
  private interface Part {
    void run(FlashAttention attention, int index, int worker);
  }

  /// Computes attentions, which share the workers and their memory.
  static void run(Context ctx, List<FlashAttention> all) {
    long common = 0;
    long scratch = 0;
    for (var each : all) {
      each.commonAt = common;
      common += each.commonBytes();
      scratch = Math.max(scratch, each.scratchBytes);
    }
    var memory = ctx.workspace().take(common + scratch * ctx.workers().threads());
    for (var each : all) {
      each.memory = memory;
    }
    long scratchAt = common;
    long bytes = scratch;
    share(ctx, all, a -> a.isPreparedOnce() ? a.heads() : 0, (a, i, _) -> a.prepare(i));
    share(
        ctx,
        all,
        a -> a.heads() * a.s.queryBlocks() * a.s.parts(),
        (a, i, worker) -> a.task(i, scratchAt + worker * bytes));
    share(ctx, all, a -> a.s.parts() > 1 ? a.heads() : 0, (a, i, _) -> a.merge(i));
  }

  /// The last parts, those of the rows that see most, begin first, so that workers end together.
  private static void share(
      Context ctx, List<FlashAttention> all, ToIntFunction<FlashAttention> parts, Part part) {
    var some = all.stream().filter(a -> parts.applyAsInt(a) > 0).toList();
    var ends = new int[some.size()];
    int sum = 0;
    for (int i = 0; i < ends.length; i++) {
      sum = Math.addExact(sum, parts.applyAsInt(some.get(i)));
      ends[i] = sum;
    }
    int count = sum;
    ctx.forEach(
        count,
        1,
        (worker, from, to) -> {
          for (int index = count - 1 - (int) from; index >= count - (int) to; index--) {
            int found = Arrays.binarySearch(ends, index + 1);
            int which = found < 0 ? -1 - found : found;
            part.run(some.get(which), index - (which == 0 ? 0 : ends[which - 1]), worker);
          }
        });
  }

  private long preparedAt(int head) {
    return commonAt + head * align(products.preparedBytes());
  }

  private void prepare(int head) {
    products.prepare(head / s.heads(), head % s.heads(), memory, preparedAt(head));
  }

  private long stateAt(int head, int part) {
    return commonAt + (head * s.parts() + part) * stateBytes;
  }

  /// A block of queries of one head and where its memory is.
  private record Head(AttentionProducts.Block block, long scratch, long state, long positions) {}

  /// @param index counts the parts of the blocks of the heads
  private void task(int index, long scratch) {
    int part = index % s.parts();
    int block = index / s.parts() % s.queryBlocks();
    var head = begin(index / s.parts() / s.queryBlocks(), block, part, scratch);
    int firstQuery = block * s.queriesPerBlock();
    int lastQuery = firstQuery + head.block.queries() - 1;
    int from = part > 0 ? part * s.blocksPerPart() : s.firstBlock(firstQuery, spec);
    int end = s.lastBlock(lastQuery, spec);
    int to = part < s.parts() - 1 ? Math.min(end, (part + 1) * s.blocksPerPart()) : end;
    // Relative to some of its scores a row's weights seldom overflow.
    for (int keyBlock = from; keyBlock < to; keyBlock++) {
      weigh(head, keyBlock, keyBlock > from, true);
    }
    float greatest = kernels.max(memory, head.state + totalsAt, head.block.rows());
    if (!(greatest < AttentionScores.GREATEST_TOTAL)) {
      scores(head, from).begin();
      for (int keyBlock = from; keyBlock < to; keyBlock++) {
        products(head, keyBlock).greatest();
      }
      for (int keyBlock = from; keyBlock < to; keyBlock++) {
        weigh(head, keyBlock, keyBlock > from, false);
      }
    }
    if (s.parts() == 1) {
      store(head);
    }
  }

  private Head begin(int head, int block, int part, long scratch) {
    var b =
        block(
            head,
            block * s.queriesPerBlock(),
            isPreparedOnce() ? preparedAt(head) : scratch + preparedAt,
            scratch + productsAt);
    if (!isPreparedOnce()) {
      products.prepare(b.batch(), b.head(), memory, b.preparedAt());
    }
    products.begin(b);
    if (table != null) {
      products.positions(b, scratch + positionsAt);
    }
    long state = s.parts() > 1 ? stateAt(head, part) : scratch + stateAt;
    var begun = new Head(b, scratch, state, scratch + positionsAt);
    scores(begun, 0).begin();
    return begun;
  }

  private AttentionProducts.Block block(int head, int first, long preparedAt, long scratchAt) {
    int queries = Math.min(s.queriesPerBlock(), s.queries() - first);
    return new AttentionProducts.Block(
        head / s.heads(),
        head % s.heads(),
        first,
        queries,
        queries * s.group(),
        memory,
        preparedAt,
        scratchAt);
  }

  /// Adds the weighted values of a block of keys.
  ///
  /// @param add to those of blocks before
  /// @param sample whether rows that see something for the first time find references
  private void weigh(Head head, int keyBlock, boolean add, boolean sample) {
    var scores = products(head, keyBlock);
    if (sample) {
      scores.sample();
    }
    scores.weights(products.bf16Weights());
    products.values(head.block, keyBlock, head.scratch, head.state, add);
  }

  private AttentionScores products(Head head, int keyBlock) {
    long at = head.scratch + AttentionScores.GAP;
    products.scores(head.block, keyBlock, at);
    if (spec.softcap() > 0) {
      for (int i = 0; i < head.block.rows(); i++) {
        long row = at + 4L * i * s.scoreStride();
        int n = s.keysIn(keyBlock);
        kernels.scale(memory, row, spec.scale(), n, memory, row);
        kernels.softcap(memory, row, spec.softcap(), n, memory, row);
      }
    }
    return scores(head, keyBlock);
  }

  private AttentionScores scores(Head head, int keyBlock) {
    long base = memory.address();
    var b = head.block;
    return new AttentionScores(
        base + head.scratch + AttentionScores.GAP,
        4L * s.scoreStride(),
        b.rows(),
        s.group(),
        s.firstQuery() + b.first(),
        s.keysIn(keyBlock),
        s.firstOf(keyBlock),
        spec.before(),
        spec.after(),
        spec.softcap() > 0 ? 1 : spec.scale(),
        table == null ? 0 : base + head.positions,
        table == null ? 0 : 4L * table.stride(),
        table == null ? 0 : table.gridHeight(),
        table == null ? 0 : table.gridWidth(),
        base + head.state + referencesAt,
        base + head.state + totalsAt);
  }

  /// Brings the sums of all parts onto the footing of the greatest reference.
  private void merge(int head) {
    long first = stateAt(head, 0);
    var b = block(head, 0, 0, 0);
    for (int i = 0; i < b.rows(); i++) {
      float max = Float.NEGATIVE_INFINITY;
      for (int part = 0; part < s.parts(); part++) {
        max = Math.max(max, Floats.get(memory, stateAt(head, part) + referencesAt, i));
      }
      float total = 0;
      long sums = first + 4L * i * products.sumStride();
      for (int part = 0; part < s.parts(); part++) {
        long state = stateAt(head, part);
        float weight = (float) Math.exp(Floats.get(memory, state + referencesAt, i) - max);
        total += weight * Floats.get(memory, state + totalsAt, i);
        if (part == 0) {
          kernels.scale(memory, sums, weight, s.valueDim(), memory, sums);
        } else {
          long other = state + 4L * i * products.sumStride();
          kernels.addScaled(memory, other, weight, s.valueDim(), memory, sums);
        }
      }
      Floats.set(memory, first + referencesAt, i, max);
      Floats.set(memory, first + totalsAt, i, total);
    }
    store(new Head(b, 0, first, 0));
  }

  /// Divides the sums by the totals, in which a sink, which has no value, is counted once.
  private void store(Head done) {
    var b = done.block;
    long state = done.state;
    for (int i = 0; i < b.rows(); i++) {
      double total = Floats.get(memory, state + totalsAt, i);
      int head = b.head() * s.group() + i % s.group();
      if (spec.sinks() != null) {
        float sink = Floats.get(spec.sinks().segment(), 0, head);
        total += Math.exp(sink - Floats.get(memory, state + referencesAt, i));
      }
      long row = state + 4L * i * products.sumStride();
      kernels.scale(memory, row, (float) (1 / total), s.valueDim(), memory, row);
      long query = (long) b.batch() * s.queries() + b.first() + i / s.group();
      long to = (query * s.heads() * s.group() + head) * s.valueDim();
      RowMap.store(Backend.NATIVE, memory, row, out, to, s.valueDim());
    }
  }
}
