package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Quantization;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Memory for weights in another form and for steps, which is given back.
class PackedMemoryTest {
  private static final long MB = 1 << 20;

  private static Tensor random(Plain dtype, long... dims) {
    var random = new SplittableRandom(7);
    var floats = Tensor.allocate(Arena.ofAuto(), Plain.F32, dims);
    var values = floats.toFloats();
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      var t = Tensor.ofFloats(Arena.ofAuto(), values, dims);
      return dtype == Plain.F32 ? t : copy(new Functional(ops, dtype).cast(t));
    }
  }

  private static Tensor copy(Tensor t) {
    var out = Tensor.allocate(Arena.ofAuto(), t.dtype(), t.shape().dims());
    out.segment().copyFrom(t.segment());
    return out;
  }

  /// Results are the same whether forms are kept, made for each use, or made again.
  private static void agree(Backend backend, Plain dtype, Function<Functional, Tensor> network) {
    try (var ops = new Ops(backend, 2)) {
      float[] expected = null;
      for (long budget : new long[] {0, MB, 1000 * MB}) {
        var f = new Functional(ops, dtype);
        f.packingBudget(budget);
        for (int run = 0; run < 4; run++) {
          try (var _ = f.scope()) {
            float[] found = network.apply(f).toFloats();
            if (expected == null) {
              expected = found;
            }
            assertArrayEquals(expected, found, "budget " + budget + ", run " + run);
          }
          if (run % 2 == 1) {
            f.releaseWeights();
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void convolutions(Backend backend) {
    var w = random(Plain.BF16, 48, 40, 3, 3);
    for (Plain dtype : new Plain[] {Plain.F32, Plain.BF16}) {
      var x = random(dtype, 2, 19, 17, 40);
      var weight = ConvWeight.same(w, null);
      agree(backend, dtype, f -> f.conv2d(x, weight));
    }
  }

  @ParameterizedTest
  @EnumSource
  void quantizedLinears(Backend backend) {
    var w = random(Plain.BF16, 1280, 320);
    var x = random(Plain.F32, 1, 70, 320);
    for (var quantization : Quantization.values()) {
      var weight = LinearWeight.of(w, null).quantized(quantization);
      agree(backend, Plain.F32, f -> f.linear(x, weight));
    }
  }

  /// Weights that have changed since show who reads them again.
  @Test
  void roundedWeightsAreKeptWithoutRoom() {
    var w = random(Plain.BF16, 64, 96);
    try (var ops = new Ops(Backend.NATIVE, 2)) {
      var f = new Functional(ops, Functional.fastest(Backend.NATIVE));
      f.packingBudget(0);
      var x = random(f.dtype(), 5, 96);
      for (var quantization : List.of(Quantization.INT8, Quantization.INT8_DYNAMIC)) {
        var own = copy(w);
        var weight = LinearWeight.of(own, null).quantized(quantization);
        float[] first = f.toF32(f.linear(x, weight)).toFloats();
        own.segment().fill((byte) 0);
        assertArrayEquals(first, f.toF32(f.linear(x, weight)).toFloats());
      }
    }
  }

  @Test
  void fewAndManyRowsReadWeightsWhereTheyLie() {
    try (var ops = new Ops(Backend.NATIVE, 2)) {
      var f = new Functional(ops, Functional.fastest(Backend.NATIVE));
      for (int rows : new int[] {1, 2, 512, 700}) {
        var x = random(f.dtype(), rows, 96);
        var own = random(f.dtype(), 64, 96);
        var weight = LinearWeight.of(own, null);
        assertNotEquals(0, f.toF32(f.linear(x, weight)).toFloats()[0]);
        own.segment().fill((byte) 0);
        assertArrayEquals(new float[rows * 64], f.toF32(f.linear(x, weight)).toFloats());
        // Also when others have had the weight packed.
        f.linear(random(f.dtype(), 8, 96), weight);
        own.segment().copyFrom(random(f.dtype(), 64, 96).segment());
        assertNotEquals(0, f.toF32(f.linear(x, weight)).toFloats()[0]);
      }
    }
  }

  /// What does not fit where it would is not kept beside what does.
  @Test
  void theWorkspaceKeepsNoSlabsThatAreTooSmall() {
    try (var ops = new Ops(Backend.SCALAR, 1)) {
      var workspace = ops.workspace();
      for (long size = 20 * MB; size <= 100 * MB; size += 20 * MB) {
        try (var _ = workspace.scope()) {
          workspace.take(size).fill((byte) 1);
          workspace.take(size).fill((byte) 2);
        }
      }
      assertEquals(200 * MB, workspace.byteSize());
      try (var _ = workspace.scope()) {
        var kept = workspace.take(30 * MB).fill((byte) 3);
        try (var _ = workspace.scope()) {
          workspace.take(150 * MB);
          assertEquals(250 * MB, workspace.byteSize());
        }
        workspace.trim();
        assertEquals(100 * MB, workspace.byteSize());
        assertEquals(3, kept.get(ValueLayout.JAVA_BYTE, 30 * MB - 1));
      }
      workspace.trim();
      assertEquals(0, workspace.byteSize());
      assertTrue(workspace.take(1).scope().isAlive());
    }
  }
}
