package io.gatun.tensor.kernel;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.scalar.PlainTypes;
import io.gatun.tensor.kernel.tiled.TiledLayout;
import java.lang.foreign.MemorySegment;

/// Elements of any type as floats on the heap: the slow way, for printing and for checking the fast
/// ways.
public final class Elements {
  private Elements() {}

  /// The element `at`, counted from the segment's start.
  ///
  /// @throws UnsupportedOperationException as [Dequantize#toFloat] does
  public static float get(MemorySegment s, DType dtype, Shape shape, long at) {
    if (dtype instanceof DType.Tiled tiled) {
      long columns = shape.dim(1);
      return TiledLayout.get(tiled, s, columns, at / columns, at % columns);
    }
    if (dtype instanceof DType.Plain plain && plain != DType.Plain.C64) {
      return PlainTypes.get(plain, s, 0, at);
    }
    int block = dtype.blockSize();
    var values = new float[block];
    Dequantize.toFloat(
        dtype, s, at / block * dtype.blockBytes(), MemorySegment.ofArray(values), 0, block);
    return values[(int) (at % block)];
  }

  /// All elements of a contiguous tensor, in row-major order.
  ///
  /// @throws UnsupportedOperationException as [Dequantize#toFloat] does
  public static float[] toFloats(MemorySegment s, DType dtype, Shape shape) {
    var values = new float[Math.toIntExact(shape.size())];
    var dst = MemorySegment.ofArray(values);
    if (dtype instanceof DType.Tiled tiled) {
      TiledLayout.toFloat(tiled, s, shape.dim(1), 0, shape.dim(0), dst, 0);
    } else {
      Dequantize.toFloat(dtype, s, 0, dst, 0, values.length);
    }
    return values;
  }
}
