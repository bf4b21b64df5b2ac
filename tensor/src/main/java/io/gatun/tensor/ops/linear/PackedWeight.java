package io.gatun.tensor.ops.linear;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MappedFiles;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// A weight (N, K) as oneDNN's products read it, in blocks of its rows: packed, or, where there is
/// no room for that, where it lies, or, where its type is not the activations', converted block by
/// block in each product.
final class PackedWeight {
  /// The bytes that a block should have: a part of a core's second cache.
  private static final long BLOCK_BYTES = 800 << 10;

  /// The rows that a block should have at least: the activations are read again for each block.
  private static final int MIN_ROWS = 160;

  /// The rows that a block should have at most: there are results of as many columns.
  private static final int MAX_ROWS = 480;

  private static final int ALIGNMENT = 64;

  /// Blocks of one size have a multiple of this many rows.
  private static final int UNIT = 32;

  /// Rows of activations for which the layouts are chosen.
  private static final int TYPICAL_ROWS = 512;

  private static final int TYPICAL_INT8_ROWS = 128;

  /// Rows of a weight.
  ///
  /// @param row the first of them
  /// @param from the column of the result that it makes
  /// @param memory where they are; null if they are to be converted into scratch memory
  record Block(
      Tensor weight, int row, int from, int count, WeightLayout layout, MemorySegment memory) {
    private Block at(WeightLayout where, MemorySegment what) {
      return new Block(weight, row, from, count, where, what);
    }
  }

  private final ElementType type;
  private final int k;
  private final Block[] blocks;

  private PackedWeight(ElementType type, List<Tensor> weights) {
    this.type = type;
    k = Math.toIntExact(weights.getFirst().dim(1));
    var list = new ArrayList<Block>();
    int from = 0;
    for (var weight : weights) {
      int n = Math.toIntExact(weight.dim(0));
      int perBlock = rowsPerBlock(n, (long) k * type.bytes());
      for (int row = 0; row < n; row += perBlock) {
        int count = Math.min(perBlock, n - row);
        list.add(new Block(weight, row, from + row, count, null, null));
      }
      from += n;
    }
    blocks = list.toArray(Block[]::new);
  }

  /// Packs weights, one above the other, if there is room for them.
  static PackedWeight of(Context ctx, List<Tensor> weights) {
    var result = new PackedWeight(ctx.elementType(), weights);
    if (ctx.packed().reserveSpare((long) result.outFeatures() * result.k * result.type.bytes())) {
      result.pack(ctx, ctx.packed().arena());
      weights.forEach(weight -> MappedFiles.unload(weight.segment()));
    } else {
      result.leave(ctx.dtype());
    }
    return result;
  }

  /// Whether products with activations can read weights where they lie.
  static boolean canStay(Context ctx, List<Tensor> weights) {
    return weights.stream().allMatch(w -> w.dtype() == ctx.dtype() && w.isContiguous());
  }

  /// Weights, one above the other, where they lie: products read those of the activations' type,
  /// and convert others.
  static PackedWeight left(Context ctx, List<Tensor> weights) {
    var result = new PackedWeight(ctx.elementType(), weights);
    result.leave(ctx.dtype());
    return result;
  }

  /// Packs integers (N, K) for products with U8.
  static PackedWeight int8(Context ctx, Tensor values, SegmentAllocator memory) {
    var result = new PackedWeight(ElementType.S8, List.of(values));
    result.pack(ctx, memory);
    return result;
  }

  private int outFeatures() {
    var last = blocks[blocks.length - 1];
    return last.from + last.count;
  }

  /// Of n rows, as many as make blocks of about [#BLOCK_BYTES], and, where that can be, one block
  /// or blocks of one size in both halves of the rows.
  private static int rowsPerBlock(int n, long rowBytes) {
    int most = Math.clamp(BLOCK_BYTES / rowBytes, MIN_ROWS, MAX_ROWS);
    int count = Math.ceilDiv(n, most);
    if (count == 1) {
      return n;
    }
    for (int even = count + count % 2; even <= 2 * count; even += 2) {
      if (n % (even * UNIT) == 0) {
        return n / even;
      }
    }
    return Math.ceilDiv(Math.ceilDiv(n, count), ALIGNMENT) * ALIGNMENT;
  }

  /// The product with a block before it is packed.
  MatmulSpec spec(Block block) {
    int n = block.count;
    return type == ElementType.S8
        ? MatmulSpec.of(TYPICAL_INT8_ROWS, n, k, ElementType.U8, type, ElementType.S32, true)
        : MatmulSpec.of(TYPICAL_ROWS, n, k, type, type, type, true);
  }

  private void pack(Context ctx, SegmentAllocator memory) {
    ctx.packed().count();
    for (int i = 0; i < blocks.length; i++) {
      var layout = OneDnn.packedLayout(spec(blocks[i]));
      blocks[i] = blocks[i].at(layout, memory.allocate(layout.byteSize(), ALIGNMENT));
    }
    try (var _ = ctx.scope()) {
      boolean direct = Arrays.stream(blocks).allMatch(block -> packsFrom(block.weight) != null);
      long stride = direct ? 0 : scratchBytes();
      var scratch = ctx.perWorker(stride);
      ctx.forEach(
          blocks.length,
          1,
          (worker, from, to) -> {
            for (int i = (int) from; i < to; i++) {
              pack(blocks[i], new Scratch(scratch, worker * stride));
            }
          });
    }
  }

  private void pack(Block block, Scratch scratch) {
    var stored = packsFrom(block.weight);
    OneDnn.pack(
        spec(block),
        stored != null ? stored : type,
        stored != null ? stored(block) : rows(block, scratch),
        (PackedLayout) block.layout,
        block.memory);
  }

  private ElementType packsFrom(Tensor weight) {
    return type == ElementType.S8 ? type : WeightRows.packsFrom(weight);
  }

  private MemorySegment stored(Block block) {
    long rowBytes = k * block.weight.dtype().blockBytes();
    return block.weight.segment().asSlice(block.row * rowBytes, block.count * rowBytes);
  }

  private void leave(DType.Plain activations) {
    for (int i = 0; i < blocks.length; i++) {
      var block = blocks[i];
      boolean inPlace = block.weight.dtype() == activations && block.weight.isContiguous();
      blocks[i] = block.at(WeightLayout.transposed(k), inPlace ? stored(block) : null);
    }
  }

  ElementType type() {
    return type;
  }

  Block[] blocks() {
    return blocks;
  }

  /// Whether the second half of the rows has blocks of the same sizes as the first.
  boolean hasHalves() {
    int half = blocks.length / 2;
    boolean halves = blocks.length == 2 * half;
    for (int i = 0; i < half; i++) {
      halves &= blocks[i].count == blocks[half + i].count;
    }
    return halves;
  }

  /// Whether oneDNN finds the weights in the layout that it likes best.
  boolean isPacked() {
    return blocks[0].layout instanceof PackedLayout;
  }

  /// Whether each product converts blocks.
  boolean isConverted() {
    return Arrays.stream(blocks).anyMatch(block -> block.memory == null);
  }

  /// The bytes of scratch memory that a worker needs to convert a block.
  long scratchBytes() {
    // BF16, and behind them F32 on their way to it.
    int most = Arrays.stream(blocks).mapToInt(Block::count).max().orElseThrow();
    return (type == ElementType.BF16 ? 6L : 4L) * most * k + 63 & -64;
  }

  /// A block's weights: where they are, or converted into `scratch`.
  MemorySegment memory(Block block, Scratch scratch) {
    return block.memory != null ? block.memory : rows(block, scratch);
  }

  private MemorySegment rows(Block block, Scratch scratch) {
    long bytes = (long) block.count * k * type.bytes();
    var rows = scratch.memory().asSlice(scratch.at(), bytes);
    if (type == ElementType.BF16) {
      WeightRows.toBf16(
          block.weight, block.row, block.count, rows, scratch.memory(), scratch.at() + bytes);
    } else {
      WeightRows.toFloat(Backend.NATIVE, block.weight, block.row, block.count, rows, 0);
    }
    return rows;
  }
}
