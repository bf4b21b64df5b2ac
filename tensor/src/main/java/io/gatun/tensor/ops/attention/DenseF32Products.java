package io.gatun.tensor.ops.attention;

import static io.gatun.ffm.raw.RawMemory.address;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.SmallProducts;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/// Products with tensors in F32, by the Vector API: everything is converted, and keys are
/// transposed.
final class DenseF32Products implements AttentionProducts {
  private static final long PANEL = 4L * SmallProducts.COLUMNS;

  private final Tensor q;
  private final Tensor k;
  private final Tensor v;
  private final AttentionShape s;
  private final RelativeTable table;
  private final MemorySegment tablePanels;
  private final long rowBytes;

  /// Of a block of keys.
  private final long panelBytes;

  /// @param table null without relative positions
  DenseF32Products(
      Context ctx, Tensor q, Tensor k, Tensor v, AttentionShape shape, RelativeTable table) {
    this.q = q;
    this.k = k;
    this.v = v;
    this.s = shape;
    this.table = table;
    rowBytes = 4L * sumStride();
    panelBytes = 4L * SmallProducts.columns(s.keysPerBlock()) * s.keyDim();
    tablePanels = table == null ? null : panels(ctx, table, s.keyDim());
  }

  private static MemorySegment panels(Context ctx, RelativeTable table, int c) {
    int n = table.positions();
    var panels = ctx.workspace().take(4L * SmallProducts.columns(n) * c);
    SmallProducts.transpose(table.rows().address(), 4L * c, false, n, c, panels.address());
    return panels;
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
    return SmallProducts.columns(s.valueDim());
  }

  /// Keys in panels, block by block, and values (S, columns of V).
  @Override
  public long preparedBytes() {
    return s.keyBlocks() * panelBytes + s.keys() * rowBytes;
  }

  /// The block's queries.
  @Override
  public long scratchBytes() {
    return 4L * (s.rowsPerBlock() + spareRows()) * s.keyDim();
  }

  @Override
  public void prepare(int batch, int head, MemorySegment memory, long at) {
    long to = address(memory, at, preparedBytes());
    for (int i = 0; i < s.keyBlocks(); i++) {
      SmallProducts.transpose(
          rows(k, s.keyDim(), batch, head, s.firstOf(i), s.keysIn(i)),
          rowDistance(k),
          isBf16(k),
          s.keysIn(i),
          s.keyDim(),
          to + i * panelBytes);
    }
    SmallProducts.copy(
        rows(v, s.valueDim(), batch, head, 0, s.keys()),
        rowDistance(v),
        isBf16(v),
        s.keys(),
        s.valueDim(),
        to + s.keyBlocks() * panelBytes,
        rowBytes);
    Reference.reachabilityFence(memory);
  }

  @Override
  public void begin(Block b) {
    SmallProducts.copy(
        rows(q, s.keyDim(), b.batch(), b.head(), b.first(), b.queries()),
        rowDistance(q),
        isBf16(q),
        b.queries(),
        s.keyDim(),
        address(b.memory(), b.scratchAt(), scratchBytes()),
        4L * s.keyDim());
  }

  private static boolean isBf16(Tensor x) {
    return x.dtype() == DType.Plain.BF16;
  }

  /// In bytes.
  private static long rowDistance(Tensor x) {
    return x.stride(1) * x.dtype().blockBytes();
  }

  /// The address of a head's `count` rows of `c` from `row` on.
  private static long rows(Tensor x, int c, int batch, int head, int row, int count) {
    long from = batch * x.stride(0) + row * x.stride(1) + (long) head * c;
    long bytes = x.dtype().blockBytes();
    return address(x.segment(), from * bytes, (count - 1) * rowDistance(x) + c * bytes);
  }

  @Override
  public void scores(Block b, int keyBlock, long scores) {
    long panels = b.memory().address() + b.preparedAt() + keyBlock * panelBytes;
    product(b, panels, s.keysIn(keyBlock), scores, s.scoreStride());
  }

  /// Products of the block's queries with panels of `n` columns.
  private void product(Block b, long panels, int n, long to, int stride) {
    SmallProducts.multiply(
        b.memory().address() + b.scratchAt(),
        4L * s.keyDim(),
        panels,
        PANEL * s.keyDim(),
        PANEL,
        s.keyDim(),
        b.memory().address() + to,
        4L * stride,
        b.rows(),
        n,
        false);
  }

  @Override
  public void positions(Block b, long at) {
    product(b, tablePanels.address(), table.positions(), at, table.stride());
  }

  @Override
  public void values(Block b, int keyBlock, long weights, long sums, boolean add) {
    long values = s.keyBlocks() * panelBytes + (long) keyBlock * s.keysPerBlock() * rowBytes;
    SmallProducts.multiply(
        b.memory().address() + weights,
        4L * s.scoreStride(),
        b.memory().address() + b.preparedAt() + values,
        PANEL,
        rowBytes,
        s.keysIn(keyBlock),
        b.memory().address() + sums,
        rowBytes,
        b.rows(),
        s.valueDim(),
        add);
  }
}
