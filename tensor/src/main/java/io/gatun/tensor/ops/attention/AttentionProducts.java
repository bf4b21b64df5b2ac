package io.gatun.tensor.ops.attention;

import java.lang.foreign.MemorySegment;

/// The matrix products of [FlashAttention], of one source of keys in one type. What serves all
/// blocks of a head's queries may be prepared once.
interface AttentionProducts {
  /// A block of queries of one head of keys.
  ///
  /// @param first the first of its `queries`
  /// @param rows of all its queries
  /// @param memory holds what was prepared for the head from byte `preparedAt` on, and
  ///   [#scratchBytes] bytes for the block from `scratchAt` on
  record Block(
      int batch,
      int head,
      int first,
      int queries,
      int rows,
      MemorySegment memory,
      long preparedAt,
      long scratchAt) {}

  /// Whether the weights are BF16; their rows are as far apart as those of the scores.
  boolean bf16Weights();

  /// The rows of scores and sums beyond a block's that the products need memory for.
  int spareRows();

  /// The distance between rows of sums, in floats.
  int sumStride();

  /// The bytes of what is prepared for a head; 0 if the products read what is there.
  default long preparedBytes() {
    return 0;
  }

  /// The bytes that a block needs for itself.
  long scratchBytes();

  /// Prepares the keys and values of a head.
  default void prepare(int batch, int head, MemorySegment memory, long at) {}

  /// Called before the products of a block.
  void begin(Block block);

  /// The products of the block's queries with the keys of block `keyBlock`: (rows, keys) F32 at
  /// `scores`.
  void scores(Block block, int keyBlock, long scores);

  /// The products of the block's queries with the relative positions: (rows, positions) F32.
  default void positions(Block block, long at) {
    throw new IllegalStateException("a cache is no grid");
  }

  /// The weights at `weights` times the values of block `keyBlock`: (rows, V) F32 at `sums`, added
  /// to what is there if `add`.
  void values(Block block, int keyBlock, long weights, long sums, boolean add);
}
