package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Constants;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Linear layers side by side, all of the same image tokens, most of which see the tokens x with
/// their positions added. `(x + pe) W^T + b` is `x W^T + (pe W^T + b)`, and what stands in the last
/// parentheses is the same for all images and prompts.
final class ImageProjection {
  private final LinearWeight weight;
  private final Tensor constant; // (S, N)
  private final long columns;

  /// One of the layers.
  record Part(Weights weights, boolean seesPositions) {}

  /// @param pe the tokens' positions (S, C) F32
  /// @param columns output features of each layer
  ImageProjection(Functional f, Tensor pe, long columns, Part... parts) {
    this.columns = columns;
    long c = pe.dim(1);
    var arena = Arena.ofAuto();
    var matrix = Tensor.allocate(arena, DType.Plain.F32, parts.length * columns, c);
    var ofPositions = Tensor.allocate(arena, DType.Plain.F32, parts.length * columns, c);
    var bias = Tensor.allocate(arena, DType.Plain.F32, parts.length * columns);
    for (int i = 0; i < parts.length; i++) {
      var rows = parts[i].weights.tensor("weight", columns, c);
      put(rows, matrix, i);
      if (parts[i].seesPositions) {
        put(rows, ofPositions, i);
      }
      put(parts[i].weights.tensor("bias", columns), bias, i);
    }
    weight = LinearWeight.of(matrix, null);
    var f32 = new Functional(f.ops(), DType.Plain.F32);
    constant = Constants.keep(f, () -> f.cast(f32.linear(pe, LinearWeight.of(ofPositions, bias))));
  }

  private static void put(Tensor part, Tensor all, int i) {
    try (var arena = Arena.ofConfined()) {
      var floats = Ops.toF32(part, arena);
      MemorySegment.copy(
          floats.segment(), 0, all.segment(), i * floats.byteSize(), floats.byteSize());
    }
  }

  /// The layers' results side by side: x (B, S, C), result (B, S, N).
  Tensor forward(Functional f, Tensor x) {
    return added(f, x, weight, constant);
  }

  /// x W^T + b + constant, x (B, S, K), the constant as large as a result of B = 1.
  static Tensor added(Functional f, Tensor x, LinearWeight weight, Tensor constant) {
    long n = weight.outFeatures();
    return x.dim(0) == 1
        ? f.linear(x, weight, Epilogue.add(constant.reshape(1, x.dim(1), n)))
        : f.add(f.linear(x, weight), constant.reshape(x.dim(1), n));
  }

  /// The result of layer `part` in what [#forward] gave.
  Tensor part(Tensor projected, int part) {
    return projected.slice(-1, part * columns, (part + 1) * columns);
  }
}
