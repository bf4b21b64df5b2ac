package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/// How weights are rounded.
public enum Method {
  /// To the nearest integer, with the scale of each group that leaves the least squared error.
  RTN,
  /// Half-quadratic quantization: as RTN, forgiving outliers; needs no texts either.
  HQQ,
  /// Each column makes up for the errors of those before it, as calibration texts weigh them
  /// ([LayerByLayer]).
  GPTQ,
  /// Columns with great inputs, as calibration texts show them, are scaled up before they are
  /// rounded ([ActivationAware]).
  AWQ;

  private static final long SLAB = 2048;

  /// Whether it needs texts.
  public boolean isCalibrated() {
    return this == GPTQ || this == AWQ;
  }

  /// Gives the bytes of `w` (N, K) as type `to`, in pieces from first to last. What texts have not
  /// reached is rounded to the nearest integer where the method needs texts.
  ///
  /// @throws IllegalArgumentException as [Packing#convert]
  public void convert(Workers workers, Tensor w, DType to, Consumer<MemorySegment> out) {
    if (this != HQQ || !(to instanceof DType.Tiled type) || type.minima()) {
      Packing.convert(workers, w, to, out);
      return;
    }
    for (long row = 0; row < w.dim(0); row += SLAB) {
      try (var arena = Arena.ofShared()) {
        var rows = w.slice(0, row, Math.min(w.dim(0), row + SLAB));
        out.accept(HalfQuadratic.round(workers, rows, type, arena).segment());
      }
    }
  }
}
