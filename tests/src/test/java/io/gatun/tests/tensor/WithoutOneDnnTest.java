package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.ffm.OneDnn;
import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/// Where there is no oneDNN, OpenBLAS multiplies: whole blocks of its products, and what is left.
class WithoutOneDnnTest {
  private static final Random RANDOM = new Random(7);

  @Test
  void openBlasMultiplies() throws Exception {
    assumeTrue(OpenBlas.isAvailable(), "no OpenBLAS here");
    var flags = List.of(Processes.KERNEL_OPTIONS, "-Dgatun.onednn=none");
    Result result = Processes.run(Processes.java(WithoutOneDnnTest.class, flags));
    assertEquals(0, result.code(), result.out() + result.err());
  }

  public static void main(String[] args) {
    assertTrue(!OneDnn.isAvailable() && OpenBlas.isAvailable());
    var x = random(Plain.F32, 300, 96);
    for (var type : List.of(Plain.F32, Plain.F16)) {
      var w = random(type, 1100, 96);
      agree(f -> f.ops().linear(x, w));
      agree(f -> f.linear(x, LinearWeight.of(w, null)));
    }
    var images = random(Plain.F32, 2, 15, 14, 20);
    var kernels = random(Plain.BF16, 70, 20, 3, 3);
    agree(f -> f.conv2d(images, ConvWeight.same(kernels, null)));
  }

  private static void agree(Function<Functional, Tensor> operation) {
    float[] expected = result(Backend.SCALAR, operation);
    float[] found = result(Backend.NATIVE, operation);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], 1e-4);
    }
  }

  private static float[] result(Backend backend, Function<Functional, Tensor> operation) {
    try (var ops = new Ops(backend, 2)) {
      return operation.apply(new Functional(ops, Plain.F32)).toFloats();
    }
  }

  private static Tensor random(Plain type, long... dims) {
    var t = Tensor.allocate(Arena.global(), type, dims);
    for (long i = 0; i < t.size(); i++) {
      Floats.store(type, t.segment(), 0, i, (float) RANDOM.nextGaussian());
    }
    return t;
  }
}
