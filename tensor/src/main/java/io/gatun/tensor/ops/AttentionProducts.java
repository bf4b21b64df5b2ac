package io.gatun.tensor.ops;

import java.lang.foreign.MemorySegment;

/// The matrix products of [BlockAttention]. Keys and values of a head are prepared once, in blocks
/// of keys, and then serve all blocks of its queries.
interface AttentionProducts {
  /// A block of queries of one head, and where its memory is.
  ///
  /// @param first the first of its `rows` queries
  /// @param prepared holds the head's keys and values from byte `preparedAt` on
  /// @param scratch the worker's memory, for [#scratchBytes] bytes from `scratchAt` on
  record Block(
      int batch,
      int head,
      int first,
      int rows,
      MemorySegment prepared,
      long preparedAt,
      MemorySegment scratch,
      long scratchAt) {}

  /// Whether the weights are BF16; their rows are as far apart as those of the scores.
  boolean bf16Weights();

  /// The rows of scores and sums beyond a block's that the products need memory for.
  int spareRows();

  /// The distance between rows of sums, in floats.
  int sumStride();

  /// The bytes of a head's prepared keys and values.
  long preparedBytes();

  /// The bytes that a block needs for itself.
  long scratchBytes();

  /// Prepares the keys and values of a head.
  void prepare(int batch, int head, MemorySegment memory, long at);

  /// Called before the products of a block.
  void begin(Block block);

  /// The products of the block's queries with the keys of block `keyBlock`: (rows, keys) F32 at
  /// `scores` in the block's scratch.
  void scores(Block block, int keyBlock, long scores);

  /// The products of the block's queries with the relative positions: (rows, positions) F32.
  void positions(Block block, long at);

  /// The weights at `weights` times the values of block `keyBlock`: (rows, C) F32 at `sums`, added
  /// to what is there but for the first block.
  void values(Block block, int keyBlock, long weights, long sums);
}
