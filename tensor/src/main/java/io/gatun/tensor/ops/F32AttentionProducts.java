package io.gatun.tensor.ops;

import static io.gatun.ffm.raw.RawMemory.address;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.SmallProducts;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Gemm;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/// The products in F32, by the Vector API: everything is converted, and keys are transposed.
final class F32AttentionProducts implements AttentionProducts {
  private final Context ctx;
  private final Tensor q;
  private final Tensor k;
  private final Tensor v;
  private final AttentionSizes s;
  private final RelativeTable table;
  private final long rowBytes;

  /// Of a block of keys.
  private final long panelBytes;

  /// @param table null without relative positions
  F32AttentionProducts(
      Context ctx, Tensor q, Tensor k, Tensor v, AttentionSizes sizes, RelativeTable table) {
    this.ctx = ctx;
    this.q = q;
    this.k = k;
    this.v = v;
    this.s = sizes;
    this.table = table;
    rowBytes = 4L * sumStride();
    panelBytes = 4L * SmallProducts.columns(s.keysPerBlock()) * s.c();
  }

  @Override
  public boolean bf16Weights() {
    return false;
  }

  @Override
  public int spareRows() {
    return SmallProducts.ROWS - 1;
  }

  @Override
  public int sumStride() {
    return SmallProducts.columns(s.c());
  }

  /// Keys in panels, block by block, and values (S, columns of C).
  @Override
  public long preparedBytes() {
    return s.keyBlocks() * panelBytes + s.keys() * rowBytes;
  }

  /// The block's queries.
  @Override
  public long scratchBytes() {
    return 4L * (s.queriesPerBlock() + spareRows()) * s.c();
  }

  @Override
  public void prepare(int batch, int head, MemorySegment memory, long at) {
    long to = address(memory, at, preparedBytes());
    for (int i = 0; i < s.keyBlocks(); i++) {
      int first = i * s.keysPerBlock();
      SmallProducts.transpose(
          rows(k, batch, head, first, s.keysIn(i)),
          rowDistance(k),
          isBf16(k),
          s.keysIn(i),
          s.c(),
          to + i * panelBytes);
    }
    SmallProducts.copy(
        rows(v, batch, head, 0, s.keys()),
        rowDistance(v),
        isBf16(v),
        s.keys(),
        s.c(),
        to + s.keyBlocks() * panelBytes,
        rowBytes);
    Reference.reachabilityFence(memory);
  }

  @Override
  public void begin(Block b) {
    SmallProducts.copy(
        rows(q, b.batch(), b.head(), b.first(), b.rows()),
        rowDistance(q),
        isBf16(q),
        b.rows(),
        s.c(),
        address(b.scratch(), b.scratchAt(), scratchBytes()),
        4L * s.c());
  }

  private static boolean isBf16(Tensor x) {
    return x.dtype() == DType.Plain.BF16;
  }

  /// In bytes.
  private static long rowDistance(Tensor x) {
    return x.stride(1) * x.dtype().blockBytes();
  }

  /// The address of a head's `count` rows from `row` on.
  private long rows(Tensor x, int batch, int head, int row, int count) {
    long from = batch * x.stride(0) + row * x.stride(1) + (long) head * s.c();
    long bytes = x.dtype().blockBytes();
    return address(x.segment(), from * bytes, (count - 1) * rowDistance(x) + s.c() * bytes);
  }

  @Override
  public void scores(Block b, int keyBlock, long scores) {
    SmallProducts.multiply(
        b.scratch().address() + b.scratchAt(),
        4L * s.c(),
        b.prepared().address() + b.preparedAt() + keyBlock * panelBytes,
        4L * SmallProducts.COLUMNS * s.c(),
        4L * SmallProducts.COLUMNS,
        s.c(),
        b.scratch().address() + scores,
        4L * s.scoreStride(),
        b.rows(),
        s.keysIn(keyBlock),
        false);
  }

  @Override
  public void positions(Block b, long at) {
    Gemm.multiply(
        ctx,
        b.scratch(),
        b.scratchAt(),
        s.c(),
        table.transposed(),
        0,
        table.positions(),
        b.scratch(),
        at,
        table.stride(),
        b.rows(),
        table.positions(),
        s.c(),
        false);
  }

  @Override
  public void values(Block b, int keyBlock, long weights, long sums) {
    long values = s.keyBlocks() * panelBytes + keyBlock * s.keysPerBlock() * rowBytes;
    SmallProducts.multiply(
        b.scratch().address() + weights,
        4L * s.scoreStride(),
        b.prepared().address() + b.preparedAt() + values,
        4L * SmallProducts.COLUMNS,
        rowBytes,
        s.keysIn(keyBlock),
        b.scratch().address() + sums,
        rowBytes,
        b.rows(),
        s.c(),
        keyBlock > 0);
  }
}
