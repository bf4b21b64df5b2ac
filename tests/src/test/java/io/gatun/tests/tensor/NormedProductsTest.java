package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Products of a normed input, whose rows are rounded as they are normalized, have the bits that
/// they have when the norm is stored first.
class NormedProductsTest {
  private static final float EPS = 1e-5f;
  private static final int N = 160;
  private static final int K = 512;

  private final Random random = new Random(19);
  private final Arena arena = Arena.ofAuto();
  private final Tensor norm = random(K);

  @Test
  void haveTheBitsOfProductsOfTheNorm() {
    var weights = weights();
    for (var backend : Backend.values()) {
      for (var precision : Precision.values()) {
        try (var ops = new Ops(backend, 2, precision)) {
          for (int rows : new int[] {1, 3, 16, 33}) {
            for (var w : weights) {
              check(ops, random(rows, K), w, w);
            }
            check(ops, random(rows, K), weights.getFirst(), weights.getLast());
          }
        }
      }
    }
  }

  private void check(Ops ops, Tensor x, Tensor gate, Tensor up) {
    String what = "%s, %s and %s".formatted(ops.backend(), gate.dtype().name(), up.dtype().name());
    try (var _ = ops.scope()) {
      var stored = ops.rmsNorm(x, norm, EPS);
      var normed = ops.normed(x, norm, EPS);
      var expected = ops.linears(stored, gate, up);
      var products = ops.linears(normed, gate, up);
      for (int i = 0; i < products.length; i++) {
        assertArrayEquals(expected[i].toFloats(), products[i].toFloats(), what);
      }
      assertArrayEquals(
          ops.gatedLinears(List.of(ops.activations(stored)), List.of(gate), List.of(up))[0]
              .toFloats(),
          ops.gatedLinears(List.of(normed), List.of(gate), List.of(up))[0].toFloats(),
          what);
      assertArrayEquals(stored.toFloats(), normed.tensor().toFloats(), what);
    }
  }

  @Test
  void refusesAWeightOfAnotherLength() {
    try (var ops = new Ops(Backend.VECTOR, 1)) {
      assertThrows(IllegalArgumentException.class, () -> ops.normed(random(2, K / 2), norm, EPS));
    }
  }

  private List<Tensor> weights() {
    var weights = new ArrayList<Tensor>();
    var floats = random(N, K);
    weights.add(floats);
    for (var type : new DType.Plain[] {DType.Plain.F16, DType.Plain.BF16}) {
      var w = Tensor.allocate(arena, type, N, K);
      for (long i = 0; i < w.size(); i++) {
        w.segment().setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (random.nextInt() & 0xBFFF));
      }
      weights.add(w);
    }
    try (var workers = new Workers(1)) {
      for (var type :
          new DType[] {
            DType.Block.Q4_0, DType.Block.Q8_0, new DType.Tiled(4, 32), new DType.Tiled(8, 64)
          }) {
        var w = Tensor.allocate(arena, type, N, K);
        Packing.convert(workers, floats, type, part -> w.segment().copyFrom(part));
        weights.add(w);
      }
    }
    return weights;
  }

  private Tensor random(long... dims) {
    var t = Tensor.allocate(arena, DType.Plain.F32, dims);
    for (long i = 0; i < t.size(); i++) {
      t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return t;
  }
}
