package io.gatun.tensor.ops.context;

import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Elements;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scaled.CodeDots;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Rows of matrices that have a [Dequantization], as F32: with the same results as
/// [Dequantization#apply], by tables.
final class ScaledRows {
  private static final float[] E4M3 = table(DType.Plain.F8_E4M3);
  private static final float[] E5M2 = table(DType.Plain.F8_E5M2);
  private static final float[] F4 = CodeDots.f4();
  private static final float[] I8 = table(DType.Plain.I8);

  private ScaledRows() {}

  private static float[] table(DType type) {
    var codes = new byte[256];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) i;
    }
    return Tensor.of(MemorySegment.ofArray(codes), type, Shape.of(256)).toFloats();
  }

  /// Whether there is a table for the matrix's numbers.
  static boolean supports(Tensor w) {
    return w.dtype() == DType.Plain.F4
        || w.dtype() == DType.Block.CODE4
        || numbers(w.dtype()) != null;
  }

  private static float[] numbers(DType type) {
    return type == DType.Plain.F8_E4M3
        ? E4M3
        : type == DType.Plain.F8_E5M2 ? E5M2 : type == DType.Plain.I8 ? I8 : null;
  }

  /// Writes a row's values, in the order of their columns, but without offsets.
  static void scaled(Tensor w, long row, MemorySegment dst, long at) {
    var how = w.dequantization();
    int k = Math.toIntExact(w.dim(1));
    int group = how.scales() == null ? k : how.scaleGroup();
    float[] levels = how.levels() == null ? F4 : how.levels().toFloats();
    float[] bytes = numbers(w.dtype());
    int high = w.dtype() == DType.Block.CODE4 ? 4 : 0;
    var memory = w.segment();
    for (int from = 0, g = 0; from < k; from += group, g++) {
      float scale = scale(how, row, g);
      int to = Math.min(k, from + group);
      if (bytes != null) {
        for (int i = from; i < to; i++) {
          int code = memory.get(ValueLayout.JAVA_BYTE, row * k + i) & 0xFF;
          dst.set(Floats.FLOAT, at + 4L * i, bytes[code] * scale);
        }
      } else {
        for (int i = from; i < to; i += 2) {
          int both = memory.get(ValueLayout.JAVA_BYTE, (row * k + i) / 2);
          dst.set(Floats.FLOAT, at + 4L * i, levels[both >> high & 15] * scale);
          dst.set(Floats.FLOAT, at + 4L * i + 4, levels[both >> 4 - high & 15] * scale);
        }
      }
    }
  }

  private static float scale(Dequantization how, long row, int group) {
    var scales = how.scales();
    if (scales == null) {
      return how.factor();
    }
    long at = row * scales.dim(1) + group;
    float s =
        scales.dtype() == DType.Plain.F32
            ? scales.segment().get(Floats.FLOAT, 4 * at)
            : scales.dtype() == DType.Plain.F8_E4M3
                ? E4M3[scales.segment().get(ValueLayout.JAVA_BYTE, at) & 0xFF]
                : Elements.get(scales.segment(), scales.dtype(), scales.shape(), at);
    return how.factor() * s;
  }
}
