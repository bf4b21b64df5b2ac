package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Int8Panels;
import io.gatun.tensor.kernel.TiledPanels;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Tiled weights as int8 panels, with activations rounded to 8 bits a row, through oneDNN.
final class PanelProduct implements RowProduct {
  /// Weight rows of a product: two tiles.
  private static final int COLUMNS = 2 * DType.Tiled.ROWS;

  /// Activation rows of a product: its results stay in the caches until they are scaled.
  private static final int ROWS = 512;

  /// By K: asking oneDNN takes longer than a product.
  private static final Map<Integer, Panels> PANELS = new ConcurrentHashMap<>();

  private final Activations x;
  private final Tensor w;
  private final Tensor out;
  private final DType.Tiled type;
  private final Activations.U8 u8;
  private final Panels panels;

  /// How oneDNN wants the weights of a product here.
  ///
  /// @param columns how many lie side by side; not a multiple of half a tile if it wants no panels
  private record Panels(MatmulSpec spec, int columns) {
    static Panels of(int k) {
      var plain =
          MatmulSpec.of(ROWS, COLUMNS, k, ElementType.U8, ElementType.S8, ElementType.S32, false);
      PackedLayout layout = OneDnn.packedLayout(plain);
      return new Panels(plain.withLayout(layout), layout.panelColumns(k, COLUMNS));
    }

    boolean fitTiles() {
      return columns > 0 && columns % (DType.Tiled.ROWS / 2) == 0;
    }

    /// Where the weights' row `row` begins, in bytes.
    long offset(int row) {
      return (long) row / columns * columns * spec.k() + 4L * (row % columns);
    }
  }

  PanelProduct(Activations x, Tensor w, Tensor out) {
    this.w = w;
    this.out = out;
    this.x = x;
    type = (DType.Tiled) w.dtype();
    u8 = x.u8();
    panels = PANELS.computeIfAbsent(x.columns(), Panels::of);
  }

  /// Whether the machine has fast int8 products that read such panels.
  static boolean supports(Activations x, Tensor w) {
    return w.dtype() instanceof DType.Tiled
        && OneDnn.supports(ElementType.S8)
        && w.dim(0) % DType.Tiled.ROWS == 0
        && PANELS.computeIfAbsent(x.columns(), Panels::of).fitTiles();
  }

  @Override
  public long scratchBytes() {
    int k = x.columns();
    long products = 4L * COLUMNS * Math.min(x.rows(), ROWS);
    return (long) COLUMNS * k + products + 8L * COLUMNS + TiledPanels.scratchBytes(k);
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    int k = x.columns();
    long weights = scratch.at();
    long scales = weights + (long) COLUMNS * k;
    long sums = scales + 4L * COLUMNS;
    long factors = sums + 4L * COLUMNS;
    long products = factors + TiledPanels.scratchBytes(k);
    long tileRow = (long) k / type.blockSize() * type.blockBytes() * DType.Tiled.ROWS;
    for (long row = from; row < to; row += COLUMNS) {
      int count = (int) Math.min(COLUMNS, to - row);
      for (int c = 0; c < count; c += DType.Tiled.ROWS) {
        TiledPanels.unpack(
            type,
            w.segment(),
            (row + c) / DType.Tiled.ROWS * tileRow,
            k,
            scratch.memory(),
            weights + panels.offset(c),
            weights + panels.offset(c + DType.Tiled.ROWS / 2),
            panels.columns,
            scales + 4L * c,
            sums + 4L * c,
            factors);
      }
      MemorySegment b = scratch.memory().asSlice(weights, (long) COLUMNS * k);
      for (int t = 0; t < x.rows(); t += ROWS) {
        int rows = Math.min(ROWS, x.rows() - t);
        OneDnn.matmul(
            panels.spec.withRows(rows),
            u8.values().asSlice((long) t * k),
            b,
            scratch.memory().asSlice(products, 4L * COLUMNS * rows));
        Int8Panels.scale(
            scratch.memory(),
            products,
            COLUMNS,
            u8.scales(),
            4L * t,
            scratch.memory(),
            scales,
            scratch.memory(),
            sums,
            rows,
            count,
            out.segment(),
            4 * (t * out.dim(1) + row),
            4 * out.dim(1));
      }
    }
  }
}
