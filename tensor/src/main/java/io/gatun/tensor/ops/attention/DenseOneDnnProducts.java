package io.gatun.tensor.ops.attention;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// Products with tensors through oneDNN, BF16 or F32 with F32 sums: queries are read where they
/// are, keys and values are packed once for all blocks of queries.
final class DenseOneDnnProducts implements AttentionProducts {
  private final Tensor q;
  private final Tensor k;
  private final Tensor v;
  private final AttentionShape s;
  private final RelativeTable table;
  private final ElementType type;
  private final MemorySegment tableRows;
  private final Packed wholeKeys;
  private final Packed lastKeys;
  private final Packed wholeValues;
  private final Packed lastValues;

  /// A product and the layout of its right operand.
  private record Packed(MatmulSpec rows, PackedLayout layout) {
    static Packed of(MatmulSpec rows) {
      return new Packed(rows, OneDnn.packedLayout(rows));
    }

    long byteSize() {
      return layout.byteSize() + 63 & -64;
    }

    MatmulSpec spec(int m) {
      return rows.withLayout(layout).withRows(m);
    }
  }

  /// @param table null without relative positions
  DenseOneDnnProducts(
      Context ctx, Tensor q, Tensor k, Tensor v, AttentionShape shape, RelativeTable table) {
    this.q = q;
    this.k = k;
    this.v = v;
    this.s = shape;
    this.table = table;
    type = ctx.elementType();
    int last = s.keysIn(s.keyBlocks() - 1);
    wholeKeys = Packed.of(keys(s.keysPerBlock()));
    lastKeys = Packed.of(keys(last));
    wholeValues = Packed.of(values(s.keysPerBlock()));
    lastValues = Packed.of(values(last));
    tableRows =
        table == null ? null : inType(ctx, table.rows(), (long) table.positions() * s.keyDim());
  }

  private static MemorySegment inType(Context ctx, MemorySegment floats, long n) {
    if (ctx.dtype() == DType.Plain.F32) {
      return floats;
    }
    var bf16 = ctx.workspace().take(2 * n);
    Unpack.floatToBf16(floats, 0, bf16, 0, n);
    return bf16;
  }

  private MatmulSpec keys(int n) {
    return product(
        n, s.keyDim(), rowStride(q), WeightLayout.transposed(rowStride(k)), s.scoreStride());
  }

  private MatmulSpec values(int depth) {
    int lda = s.scoreStride() * (4 / type.bytes());
    return product(s.valueDim(), depth, lda, WeightLayout.rowMajor(rowStride(v)), sumStride());
  }

  private MatmulSpec product(int n, int depth, int lda, WeightLayout layout, int ldc) {
    return MatmulSpec.of(s.rowsPerBlock(), n, depth, type, type, ElementType.F32, false)
        .withStrides(lda, layout, ldc);
  }

  /// The rows of a tensor of one row may have any stride.
  private static int rowStride(Tensor t) {
    return Math.toIntExact(Math.max(t.stride(1), t.dim(2)));
  }

  @Override
  public boolean bf16Weights() {
    return type == ElementType.BF16;
  }

  @Override
  public int spareRows() {
    return 0;
  }

  @Override
  public int sumStride() {
    return s.valueDim();
  }

  @Override
  public long preparedBytes() {
    return s.keyBlocks() * (wholeKeys.byteSize() + wholeValues.byteSize());
  }

  @Override
  public long scratchBytes() {
    return 0;
  }

  private Packed keysOf(int keyBlock) {
    return keyBlock == s.keyBlocks() - 1 ? lastKeys : wholeKeys;
  }

  private Packed valuesOf(int keyBlock) {
    return keyBlock == s.keyBlocks() - 1 ? lastValues : wholeValues;
  }

  private MemorySegment keysAt(MemorySegment prepared, long at, int keyBlock) {
    return prepared.asSlice(at + keyBlock * wholeKeys.byteSize());
  }

  private MemorySegment valuesAt(MemorySegment prepared, long at, int keyBlock) {
    return prepared.asSlice(
        at + s.keyBlocks() * wholeKeys.byteSize() + keyBlock * wholeValues.byteSize());
  }

  @Override
  public void prepare(int batch, int head, MemorySegment memory, long at) {
    for (int i = 0; i < s.keyBlocks(); i++) {
      var keys = keysOf(i);
      var values = valuesOf(i);
      var k0 = rows(k, s.keyDim(), batch, head, s.firstOf(i));
      var v0 = rows(v, s.valueDim(), batch, head, s.firstOf(i));
      OneDnn.pack(keys.rows, type, k0, keys.layout, keysAt(memory, at, i));
      OneDnn.pack(values.rows, type, v0, values.layout, valuesAt(memory, at, i));
    }
  }

  private MemorySegment rows(Tensor x, int c, int batch, int head, int row) {
    long at = batch * x.stride(0) + row * x.stride(1) + (long) head * c;
    return x.segment().asSlice(at * type.bytes());
  }

  @Override
  public void begin(Block b) {}

  private MemorySegment queries(Block b) {
    return rows(q, s.keyDim(), b.batch(), b.head(), b.first());
  }

  @Override
  public void scores(Block b, int keyBlock, long scores) {
    OneDnn.matmul(
        keysOf(keyBlock).spec(b.rows()),
        queries(b),
        keysAt(b.memory(), b.preparedAt(), keyBlock),
        b.memory().asSlice(scores));
  }

  @Override
  public void positions(Block b, long at) {
    var layout = WeightLayout.transposed(s.keyDim());
    var spec = product(table.positions(), s.keyDim(), rowStride(q), layout, table.stride());
    OneDnn.matmul(spec.withRows(b.rows()), queries(b), tableRows, b.memory().asSlice(at));
  }

  @Override
  public void values(Block b, int keyBlock, long weights, long sums, boolean add) {
    var spec = valuesOf(keyBlock).spec(b.rows());
    OneDnn.matmul(
        add ? spec.withPostOps(PostOp.ACCUMULATE) : spec,
        b.memory().asSlice(weights),
        valuesAt(b.memory(), b.preparedAt(), keyBlock),
        b.memory().asSlice(sums));
  }
}
