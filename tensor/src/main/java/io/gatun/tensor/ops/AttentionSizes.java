package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;

/// How an attention is cut into blocks.
///
/// @param queries T
/// @param keys S
/// @param c the head size
/// @param queriesPerBlock of which a block of scores has rows
/// @param keysPerBlock of which a block of scores has columns
/// @param scoreStride the distance between rows of scores, in floats: not a multiple of a page,
///   whose rows would share the first cache's lines, and with room to read a vector too far
record AttentionSizes(
    int batches,
    int heads,
    int queries,
    int keys,
    int c,
    int queriesPerBlock,
    int keysPerBlock,
    int scoreStride) {
  /// Scores of a block: about half of a second cache.
  private static final int MAX_SCORES = 256 * 1024;

  private static final int MAX_KEYS = 1024;

  static AttentionSizes of(Tensor q, Tensor k, int heads, AttentionBias bias) {
    int queries = Math.toIntExact(q.dim(1));
    int keys = Math.toIntExact(k.dim(1));
    // Blocks are whole rows of the grid.
    int unit = bias instanceof AttentionBias.RelativePositions r ? r.gridWidth() : 1;
    int keysPerBlock = Math.min(keys, Math.max(unit, MAX_KEYS / unit * unit));
    int stride = Math.ceilDiv(keysPerBlock, 16) * 16 + 16;
    int queriesPerBlock = Math.max(32, MAX_SCORES / stride / 32 * 32 + 32);
    return new AttentionSizes(
        Math.toIntExact(q.dim(0)),
        heads,
        queries,
        keys,
        Math.toIntExact(q.dim(2) / heads),
        Math.min(queries, queriesPerBlock),
        keysPerBlock,
        stride);
  }

  int queryBlocks() {
    return Math.ceilDiv(queries, queriesPerBlock);
  }

  int keyBlocks() {
    return Math.ceilDiv(keys, keysPerBlock);
  }

  /// The keys of block `keyBlock`.
  int keysIn(int keyBlock) {
    return Math.min(keysPerBlock, keys - keyBlock * keysPerBlock);
  }
}
