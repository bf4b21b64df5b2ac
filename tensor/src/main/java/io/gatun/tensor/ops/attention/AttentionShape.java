package io.gatun.tensor.ops.attention;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.AttentionScores;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.sequence.CacheLayout;

/// How an attention is cut into blocks of queries, of which scores have rows, and of keys.
///
/// @param heads of keys and values, G
/// @param group the heads of queries that share one of keys, H / G; their rows are neighbours
/// @param queries T
/// @param firstQuery the position of the first among the keys
/// @param keys the position after the last key
/// @param firstKey the position of the first key that any query sees, where blocks begin
/// @param blocksPerPart so many blocks of keys make a part, and workers share the parts of the only
///   block of queries
/// @param scoreStride the distance between rows of scores, in floats: not a multiple of a page,
///   whose rows would share the first cache's lines, and with room to read a vector too far
record AttentionShape(
    int batches,
    int heads,
    int group,
    int queries,
    int firstQuery,
    int keys,
    int firstKey,
    int keyDim,
    int valueDim,
    int queriesPerBlock,
    int keysPerBlock,
    int blocksPerPart,
    int scoreStride) {
  /// Scores of a block: about half of a second cache.
  private static final int MAX_SCORES = 256 * 1024;

  /// Of a block over pages.
  private static final int PAGED_ROWS = 256;

  private static final int PAGED_KEYS = 4 * CacheLayout.PAGE;

  /// The most rows for which memory is the limit: then a page at a time is read.
  private static final int FEW = 32;

  /// The most rows that need no more than a page for which a copy of it does not pay. So a short
  /// prompt takes the kernels of decoding, and does not wait for others to be compiled.
  private static final int FEW_OF_ONE_PAGE = 63;

  /// The most tasks of one block of queries: enough for many workers, and few to merge.
  private static final int MAX_TASKS = 64;

  /// The bytes of keys and values that a task reads at the least: wherever it begins, memory needs
  /// a while to deliver.
  private static final long MIN_READ = 256 << 10;

  /// Tensors (B, T, heads * K), (B, S, heads * K) and (B, S, heads * V).
  static AttentionShape of(Tensor q, Tensor k, Tensor v, int heads, AttentionSpec spec) {
    int queries = Math.toIntExact(q.dim(1));
    int keys = Math.toIntExact(k.dim(1));
    // Blocks are whole rows of the grid.
    int unit = spec.positions() == null ? 1 : spec.positions().gridWidth();
    int keysPerBlock = Math.min(keys, Math.max(unit, AttentionScores.MAX_KEYS / unit * unit));
    int stride = stride(keysPerBlock);
    int queriesPerBlock = Math.max(32, MAX_SCORES / stride / 32 * 32 + 32);
    return new AttentionShape(
        Math.toIntExact(q.dim(0)),
        heads,
        1,
        queries,
        0,
        keys,
        0,
        Math.toIntExact(q.dim(2) / heads),
        Math.toIntExact(v.dim(2) / heads),
        Math.min(queries, queriesPerBlock),
        keysPerBlock,
        Integer.MAX_VALUE,
        stride);
  }

  /// Of rows and their sequence, with so many heads of queries.
  static AttentionShape of(KvRows rows, int heads, AttentionSpec spec) {
    var kv = rows.pages().kv();
    int group = heads / kv.heads();
    int queriesPerBlock = Math.clamp(PAGED_ROWS / group, 1, rows.rows());
    long seen = Math.max(0, (long) rows.position() - spec.before());
    int firstKey = (int) (seen / CacheLayout.PAGE * CacheLayout.PAGE);
    int keys = rows.position() + rows.rows();
    int most = keys <= CacheLayout.PAGE ? FEW_OF_ONE_PAGE : FEW;
    boolean few = queriesPerBlock * group <= most;
    int keysPerBlock = few ? CacheLayout.PAGE : PAGED_KEYS;
    long blocks = Math.ceilDiv(keys - firstKey, keysPerBlock);
    long blockBytes = rows.pages().headBytes() * (keysPerBlock / CacheLayout.PAGE);
    long least = Math.max(2, MIN_READ / blockBytes);
    return new AttentionShape(
        1,
        kv.heads(),
        group,
        rows.rows(),
        rows.position(),
        keys,
        firstKey,
        kv.keyDim(),
        kv.valueDim(),
        queriesPerBlock,
        keysPerBlock,
        (int) Math.max(least, Math.ceilDiv(blocks * kv.heads(), MAX_TASKS)),
        stride(keysPerBlock));
  }

  /// So that the zeros behind a row's BF16 weights, up to a vector too many, end before the next's.
  private static int stride(int keys) {
    return Math.max(AttentionScores.BF16_UNIT / 2, Math.ceilDiv(keys, 16) * 16) + 16;
  }

  /// Whether a block has the keys of one page.
  boolean isPageByPage() {
    return keysPerBlock == CacheLayout.PAGE;
  }

  int rowsPerBlock() {
    return queriesPerBlock * group;
  }

  int queryBlocks() {
    return Math.ceilDiv(queries, queriesPerBlock);
  }

  int keyBlocks() {
    return Math.ceilDiv(keys - firstKey, keysPerBlock);
  }

  /// The parts in which workers share the keys.
  int parts() {
    return queryBlocks() == 1 ? Math.ceilDiv(keyBlocks(), blocksPerPart) : 1;
  }

  /// The position of the first key of block `keyBlock`.
  int firstOf(int keyBlock) {
    return firstKey + keyBlock * keysPerBlock;
  }

  /// The keys of block `keyBlock`.
  int keysIn(int keyBlock) {
    return Math.min(keysPerBlock, keys - firstOf(keyBlock));
  }

  /// The first block of keys of which query `t` sees any.
  int firstBlock(int t, AttentionSpec spec) {
    long seen = (long) firstQuery + t - spec.before();
    return (int) (Math.max(0, seen - firstKey) / keysPerBlock);
  }

  /// The block of keys after the last of which query `t` sees any.
  int lastBlock(int t, AttentionSpec spec) {
    long unseen = Math.min(keys, (long) firstQuery + t + spec.after() + 1);
    return Math.toIntExact(Math.ceilDiv(unseen - firstKey, (long) keysPerBlock));
  }
}
