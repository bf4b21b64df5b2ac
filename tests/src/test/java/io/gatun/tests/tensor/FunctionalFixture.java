package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;
import java.util.function.Function;

/// Random activations, and the comparison of every backend and type with the reference in F32.
final class FunctionalFixture {
  static final List<DType.Plain> TYPES = List.of(DType.Plain.F32, DType.Plain.BF16);

  private final Random random = new Random(11);
  final Arena arena = Arena.ofAuto();

  /// Unit normals that BF16 holds exactly, so that both types start from the same values.
  Tensor random(DType.Plain dtype, long... dims) {
    var t = Tensor.allocate(arena, dtype, dims);
    for (long i = 0; i < t.size(); i++) {
      int bits = Float.floatToRawIntBits((float) random.nextGaussian()) & 0xFFFF0000;
      Floats.store(dtype, t.segment(), 0, i, Float.intBitsToFloat(bits));
    }
    return t;
  }

  /// The same values in another type.
  Tensor as(DType.Plain dtype, Tensor t) {
    var copy = Tensor.allocate(arena, dtype, t.shape().dims());
    float[] values = t.toFloats();
    for (int i = 0; i < values.length; i++) {
      Floats.store(dtype, copy.segment(), 0, i, values[i]);
    }
    return copy;
  }

  /// Asserts that `operation` gives on every backend and in both types what it gives on the scalar
  /// backend in F32: to 1e-5 of the greatest value, or 1e-2 in BF16, which is two roundings.
  void agree(String what, Function<Functional, Tensor> operation) {
    float[] expected = result(Backend.SCALAR, DType.Plain.F32, operation);
    for (Backend backend : Backend.values()) {
      for (var dtype : TYPES) {
        float[] found = result(backend, dtype, operation);
        compare(expected, found, dtype == DType.Plain.F32 ? 1e-5 : 1e-2, what + backend + dtype);
      }
    }
  }

  float[] result(Backend backend, DType.Plain dtype, Function<Functional, Tensor> operation) {
    try (var ops = new Ops(backend, 2)) {
      return operation.apply(new Functional(ops, dtype)).toFloats();
    }
  }

  /// @param tolerance relative to the greatest expected value
  static void compare(float[] expected, float[] found, double tolerance, String what) {
    assertEquals(expected.length, found.length, what);
    float max = 0;
    for (float e : expected) {
      max = Math.max(max, Math.abs(e));
    }
    for (int i = 0; i < found.length; i++) {
      if (!(Math.abs(expected[i] - found[i]) <= tolerance * max)) {
        assertEquals(expected[i], found[i], tolerance * max, what + ", element " + i);
      }
    }
  }
}
