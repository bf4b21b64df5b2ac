package io.gatun.tensor.ops.linear;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.Int8Products;
import io.gatun.tensor.kernel.tiled.TiledPanels;
import io.gatun.tensor.kernel.tiled.TiledProduct;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import java.lang.foreign.MemorySegment;

/// Rows of tiled weights as int8 panels in a worker's scratch memory, and their products with
/// activations of 8 bits, through oneDNN.
final class Panels {
  /// Activation rows of a product: its results stay in the caches until they are scaled.
  static final int ROWS = 512;

  private static final int TILE = DType.Tiled.ROWS;

  private final Input x;
  private final Input.U8 u8;
  private final int n;
  private final int k;
  private final Layout layout;
  private final MemorySegment bias;

  /// How oneDNN wants the weights of a product here.
  ///
  /// @param columns how many lie side by side; 0 if it wants no panels
  private record Layout(MatmulSpec spec, int columns) {
    static Layout of(int n, int k) {
      var plain = MatmulSpec.of(ROWS, n, k, ElementType.U8, ElementType.S8, ElementType.S32, false);
      var packed = OneDnn.packedLayout(plain);
      return new Layout(plain.withLayout(packed), packed.panelColumns(k, n));
    }
  }

  /// @param n weight rows that are multiplied at a time
  Panels(Context ctx, Input x, int n) {
    this.x = x;
    this.n = n;
    k = x.columns();
    u8 = x.u8();
    layout = Layout.of(n, k);
    bias = ctx.workspace().take(4L * n).fill((byte) 0);
  }

  /// Whether int8 products here read panels of `n` rows of the weight.
  static boolean supports(Input x, Tensor w, int n) {
    if (!(w.dtype() instanceof DType.Tiled type) || !TiledProduct.supports(type)) {
      return false;
    }
    int columns = Layout.of(n, x.columns()).columns;
    return w.dim(0) % TILE == 0 && columns > 0 && columns % (TILE / 2) == 0;
  }

  /// The rows that are computed for so many: each number is a primitive of its own, which takes
  /// milliseconds to compile, so a prompt's length is rounded up by an eighth at most.
  static int padded(int rows) {
    int rest = rows % ROWS;
    int step = Math.max(1, Integer.highestOneBit(rest) / 8);
    return rows - rest + Math.ceilDiv(rest, step) * step;
  }

  /// Where row `t` of the activations is among those of [Input.U8]: each [#ROWS] rows, and the last
  /// ones, are followed by a row of 128s.
  static long u8Row(long t) {
    return t + t / ROWS;
  }

  /// The rows that [Input.U8] has for so many of the activations.
  static long u8Rows(int rows) {
    int last = (rows - 1) % ROWS + 1;
    return u8Row(rows - last) + padded(last + 1);
  }

  long scratchBytes() {
    return factors() + TiledPanels.scratchBytes(k);
  }

  /// Where things are in the scratch memory, from its beginning: the panels; S32 products, `n` in a
  /// row; F32 scales of the weight rows; and what unpacking needs.
  private long products() {
    return (long) n * k;
  }

  private long scales() {
    return products() + 4L * n * padded(Math.min(x.rows(), ROWS) + 1);
  }

  private long factors() {
    return scales() + 4L * n;
  }

  /// Makes `count` rows of the weight from `row` on the operand's columns from `column` on.
  void unpack(Scratch scratch, Tensor w, long row, int count, int column) {
    var type = (DType.Tiled) w.dtype();
    long tileRow = (long) k / type.blockSize() * type.blockBytes() * TILE;
    for (int c = 0; c < count; c += TILE) {
      int to = column + c;
      TiledPanels.unpack(
          type,
          w.segment(),
          (row + c) / TILE * tileRow,
          k,
          scratch.memory(),
          scratch.at() + panel(to),
          scratch.at() + panel(to + TILE / 2),
          layout.columns,
          scratch.at() + scales() + 4L * to,
          scratch.at() + factors());
    }
  }

  /// Where the operand's column begins.
  private long panel(int column) {
    int columns = layout.columns;
    return (long) column / columns * columns * k + 4L * (column % columns);
  }

  /// Multiplies `rows` activation rows from `t` on, a multiple of [#ROWS], and the row of 128s that
  /// follows them, which makes what the zero point adds to the products.
  ///
  /// @return the products
  Int8Products multiply(Scratch scratch, int t, int rows) {
    var memory = scratch.memory();
    long at = scratch.at();
    int computed = padded(rows + 1);
    OneDnn.matmul(
        layout.spec.withRows(computed),
        u8.values().asSlice(u8Row(t) * k),
        memory.asSlice(at, (long) n * k),
        memory.asSlice(at + products(), 4L * n * computed));
    var products = memory.asSlice(at + products(), 4L * n * (rows + 1L));
    return new Int8Products(
        products,
        n,
        u8.scales().asSlice(4L * t),
        memory.asSlice(at + scales(), 4L * n),
        products.asSlice(4L * n * rows),
        bias,
        rows);
  }
}
