package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// The products in F32, by OpenBLAS or the Vector API: keys are transposed, everything is
/// converted.
final class F32AttentionProducts implements AttentionProducts {
  private final Ops ops;
  private final Tensor q;
  private final Tensor k;
  private final Tensor v;
  private final AttentionSizes s;
  private final RelativeTable table;

  /// @param table null without relative positions
  F32AttentionProducts(
      Ops ops, Tensor q, Tensor k, Tensor v, AttentionSizes sizes, RelativeTable table) {
    this.ops = ops;
    this.q = q;
    this.k = k;
    this.v = v;
    this.s = sizes;
    this.table = table;
  }

  @Override
  public boolean bf16Weights() {
    return false;
  }

  /// Keys (C, S), values (S, C).
  @Override
  public long preparedBytes() {
    return 8L * s.keys() * s.c();
  }

  /// The block's queries.
  @Override
  public long scratchBytes() {
    return 4L * s.queriesPerBlock() * s.c();
  }

  @Override
  public void prepare(int batch, int head, MemorySegment memory, long at) {
    long values = at + 4L * s.keys() * s.c();
    // The rows of the keys pass through the place of the values.
    for (int i = 0; i < s.keys(); i++) {
      row(k, batch, head, i, memory, values);
      for (int j = 0; j < s.c(); j++) {
        Floats.set(memory, at, (long) j * s.keys() + i, Floats.get(memory, values, j));
      }
    }
    for (int i = 0; i < s.keys(); i++) {
      row(v, batch, head, i, memory, values + 4L * i * s.c());
    }
  }

  @Override
  public void begin(Block b) {
    for (int i = 0; i < b.rows(); i++) {
      row(q, b.batch(), b.head(), b.first() + i, b.scratch(), b.scratchAt() + 4L * i * s.c());
    }
  }

  private void row(Tensor x, int batch, int head, int row, MemorySegment to, long at) {
    long from = batch * x.stride(0) + row * x.stride(1) + (long) head * s.c();
    Unpack.toFloat(x.dtype(), x.segment(), from * x.dtype().blockBytes(), to, at, s.c());
  }

  @Override
  public void scores(Block b, int keyBlock, long scores) {
    product(
        b,
        b.scratchAt(),
        s.c(),
        b.prepared(),
        b.preparedAt() + 4L * keyBlock * s.keysPerBlock(),
        s.keys(),
        scores,
        s.scoreStride(),
        s.keysIn(keyBlock),
        s.c(),
        false);
  }

  @Override
  public void positions(Block b, long at) {
    product(
        b,
        b.scratchAt(),
        s.c(),
        table.transposed(),
        0,
        table.positions(),
        at,
        table.stride(),
        table.positions(),
        s.c(),
        false);
  }

  @Override
  public void values(Block b, int keyBlock, long weights, long sums) {
    long values = (long) s.keys() + (long) keyBlock * s.keysPerBlock();
    product(
        b,
        weights,
        s.scoreStride(),
        b.prepared(),
        b.preparedAt() + 4 * values * s.c(),
        s.c(),
        sums,
        s.c(),
        s.c(),
        s.keysIn(keyBlock),
        keyBlock > 0);
  }

  private void product(
      Block b,
      long aAt,
      int lda,
      MemorySegment right,
      long rightAt,
      int ldb,
      long cAt,
      int ldc,
      int n,
      int depth,
      boolean accumulate) {
    Gemm.multiply(
        ops,
        b.scratch(),
        aAt,
        lda,
        right,
        rightAt,
        ldb,
        b.scratch(),
        cAt,
        ldc,
        b.rows(),
        n,
        depth,
        accumulate);
  }
}
