package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PackedLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Int8Panels;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Group-wise int4 weights as int8 panels, with activations rounded to 8 bits a row, through
/// oneDNN.
final class PanelProduct implements RowProduct {
  /// Columns of a panel: two tiles.
  private static final int COLUMNS = 2 * DType.Tiled.ROWS;

  /// By K: asking oneDNN takes longer than a product.
  private static final Map<Integer, PackedLayout> LAYOUTS = new ConcurrentHashMap<>();

  private final Activations x;
  private final Tensor w;
  private final Tensor out;
  private final DType.Tiled type;
  private final Activations.U8 u8;
  private final MatmulSpec spec;

  PanelProduct(Activations x, Tensor w, Tensor out) {
    this.w = w;
    this.out = out;
    this.x = x;
    type = (DType.Tiled) w.dtype();
    u8 = x.u8();
    spec = spec(x.rows(), x.columns());
  }

  private static MatmulSpec spec(int rows, int k) {
    var plain =
        MatmulSpec.of(rows, COLUMNS, k, ElementType.U8, ElementType.S8, ElementType.S32, false);
    var layout = LAYOUTS.computeIfAbsent(k, any -> OneDnn.packedLayout(plain.withRows(512)));
    return plain.withLayout(layout);
  }

  /// Whether the machine has fast int8 products that read such panels.
  static boolean supports(Activations x, Tensor w) {
    return w.dtype() instanceof DType.Tiled(int bits, int _, boolean minima)
        && bits == 4
        && !minima
        && OneDnn.supports(ElementType.S8)
        && w.dim(0) % DType.Tiled.ROWS == 0
        && spec(x.rows(), x.columns()).layout() instanceof PackedLayout layout
        && layout.isPanel(x.columns(), COLUMNS);
  }

  @Override
  public long scratchBytes() {
    return (long) COLUMNS * x.columns() + 4L * COLUMNS * x.rows() + 8L * COLUMNS;
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    int k = x.columns();
    MemorySegment memory = scratch.memory();
    long panel = scratch.at();
    long products = panel + (long) COLUMNS * k;
    long scales = products + 4L * COLUMNS * x.rows();
    long sums = scales + 4L * COLUMNS;
    long tileRow = (long) k / type.groupSize() * type.blockBytes() * DType.Tiled.ROWS;
    for (long row = from; row < to; row += COLUMNS) {
      int count = (int) Math.min(COLUMNS, to - row);
      for (int c = 0; c < count; c += DType.Tiled.ROWS) {
        Int8Panels.unpack(
            w.segment(),
            (row + c) / DType.Tiled.ROWS * tileRow,
            k,
            type.groupSize(),
            memory,
            panel + 4L * c,
            COLUMNS,
            memory,
            scales + 4L * c,
            memory,
            sums + 4L * c);
      }
      OneDnn.matmul(
          spec,
          u8.values(),
          memory.asSlice(panel, (long) COLUMNS * k),
          memory.asSlice(products, 4L * COLUMNS * x.rows()));
      for (int t = 0; t < x.rows(); t++) {
        Int8Panels.scale(
            memory,
            products + 4L * COLUMNS * t,
            Floats.get(u8.scales(), 0, t),
            memory,
            scales,
            memory,
            sums,
            count,
            out.segment(),
            4 * (t * out.dim(1) + row));
      }
    }
  }
}
