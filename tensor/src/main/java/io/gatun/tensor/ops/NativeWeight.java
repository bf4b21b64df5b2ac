package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// A weight (N, K) as oneDNN's products read it, in blocks of its rows: packed as long as the budget
/// of [Functional] lasts, and else where it lies, or, where its type is not the activations',
/// converted block by block in each product.
final class NativeWeight {
  /// The bytes that a block should have: a part of a core's second cache.
  private static final long BLOCK_BYTES = 512 << 10;

  private static final int ALIGNMENT = 64;

  /// Rows of activations for which the layouts are chosen.
  private static final int TYPICAL_ROWS = 512;

  private record Shape(int n, int k, ElementType type) {}

  /// Asking oneDNN takes longer than a small product.
  private static final Map<Shape, PackedLayout> LAYOUTS = new ConcurrentHashMap<>();

  /// Rows of the weight.
  ///
  /// @param memory where they are; null if they are to be converted into scratch memory
  record Block(int from, int count, WeightLayout layout, MemorySegment memory) {}

  private final Tensor weight;
  private final ElementType type;
  private final int k;
  private final Block[] blocks;

  private NativeWeight(Tensor weight, ElementType type, int perBlock) {
    this.weight = weight;
    this.type = type;
    k = Math.toIntExact(weight.dim(1));
    blocks = new Block[Math.ceilDiv(Math.toIntExact(weight.dim(0)), perBlock)];
  }

  /// Packs the weight if there is room for it.
  static NativeWeight of(Functional f, Tensor weight) {
    var type = elementType(f);
    int n = Math.toIntExact(weight.dim(0));
    long rowBytes = weight.dim(1) * type.bytes();
    int perBlock = rowsPerBlock(n, rowBytes);
    var result = new NativeWeight(weight, type, perBlock);
    if (f.reserve(n * rowBytes)) {
      result.pack(f, perBlock);
    } else {
      result.leave(f.dtype(), perBlock);
    }
    return result;
  }

  /// A weight of another type than the activations', which each product converts.
  static NativeWeight converted(Functional f, Tensor weight) {
    var type = elementType(f);
    int perBlock = rowsPerBlock(Math.toIntExact(weight.dim(0)), weight.dim(1) * type.bytes());
    var result = new NativeWeight(weight, type, perBlock);
    result.leave(f.dtype(), perBlock);
    return result;
  }

  private static ElementType elementType(Functional f) {
    return f.dtype() == DType.Plain.BF16 ? ElementType.BF16 : ElementType.F32;
  }

  /// A number of rows that makes blocks of about [#BLOCK_BYTES], and, where it can, blocks of one
  /// size in both halves of the weight.
  static int rowsPerBlock(int n, long rowBytes) {
    int most = (int) Math.max(ALIGNMENT, BLOCK_BYTES / rowBytes);
    int count = Math.ceilDiv(n, most);
    for (int even = count + count % 2; even <= 2 * count; even += 2) {
      if (n % (even * ALIGNMENT) == 0) {
        return n / even;
      }
    }
    return Math.ceilDiv(Math.ceilDiv(n, count), ALIGNMENT) * ALIGNMENT;
  }

  private static PackedLayout layout(Shape shape) {
    return LAYOUTS.computeIfAbsent(shape, s -> OneDnn.packedLayout(spec(s, TYPICAL_ROWS)));
  }

  private static MatmulSpec spec(Shape s, int rows) {
    return MatmulSpec.of(rows, s.n, s.k, s.type, s.type, s.type, true);
  }

  private void pack(Functional f, int perBlock) {
    int n = Math.toIntExact(weight.dim(0));
    var arena = Arena.ofAuto();
    for (int i = 0; i < blocks.length; i++) {
      int from = i * perBlock;
      int count = Math.min(perBlock, n - from);
      var layout = layout(new Shape(count, k, type));
      blocks[i] = new Block(from, count, layout, arena.allocate(layout.byteSize(), ALIGNMENT));
    }
    try (var scope = f.scope()) {
      long stride = scratchBytes();
      var scratch = f.ops().workspace().take(stride * f.ops().workers().threads());
      f.ops()
          .workers()
          .forEach(
              blocks.length,
              1,
              (worker, from, to) -> {
                for (int i = (int) from; i < to; i++) {
                  var block = blocks[i];
                  var shape = new Shape(block.count, k, type);
                  OneDnn.pack(
                      spec(shape, TYPICAL_ROWS),
                      type,
                      rows(block, new Scratch(scratch, worker * stride)),
                      (PackedLayout) block.layout,
                      block.memory);
                }
              });
    }
  }

  private void leave(DType.Plain activations, int perBlock) {
    int n = Math.toIntExact(weight.dim(0));
    boolean inPlace = weight.dtype() == activations && weight.isContiguous();
    for (int i = 0; i < blocks.length; i++) {
      int from = i * perBlock;
      int count = Math.min(perBlock, n - from);
      long rowBytes = (long) k * type.bytes();
      var memory =
          inPlace ? weight.segment().asSlice(from * rowBytes, count * rowBytes) : null;
      blocks[i] = new Block(from, count, WeightLayout.transposed(k), memory);
    }
  }

  ElementType type() {
    return type;
  }

  Block[] blocks() {
    return blocks;
  }

  /// Whether a block starts where the second half of the rows does, and the blocks of both halves
  /// have the same sizes.
  boolean hasHalves() {
    return blocks.length % 2 == 0 && blocks[blocks.length / 2].from * 2L == weight.dim(0);
  }

  /// Whether each product converts the blocks.
  boolean isConverted() {
    return blocks[0].memory == null;
  }

  /// The bytes of scratch memory that a worker needs to convert a block.
  long scratchBytes() {
    // BF16, and behind them F32 on their way to it.
    return (type == ElementType.BF16 ? 6L : 4L) * blocks[0].count * k + 63 & -64;
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
          weight, block.from, block.count, rows, scratch.memory(), scratch.at() + bytes);
    } else {
      WeightRows.toFloat(Backend.NATIVE, weight, block.from, block.count, rows, 0);
    }
    return rows;
  }
}
