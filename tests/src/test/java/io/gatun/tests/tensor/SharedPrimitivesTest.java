package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/// oneDNN takes milliseconds to compile each kind of product, which texts of every length would
/// wait for.
@Isolated("counts what the process compiles")
class SharedPrimitivesTest {
  private static final int MOST = 128;

  @BeforeEach
  void isThere() {
    assumeTrue(OneDnn.supports(ElementType.BF16), "no products of BF16 here");
  }

  @Test
  void rowsOfAnyNumber() {
    var floats = Tensor.allocate(Arena.ofAuto(), Plain.F32, MOST, 64);
    var x = Tensor.allocate(Arena.ofAuto(), Plain.BF16, MOST, 64);
    var w = Tensor.allocate(Arena.ofAuto(), Plain.BF16, 96, 64);
    var layer = LinearWeight.of(w, null);
    try (var ops = new Ops(Backend.NATIVE, 2, Precision.FAST)) {
      var network = new Functional(ops, Plain.BF16);
      int compiled = OneDnn.compiled();
      for (int rows = 33; rows <= MOST; rows++) {
        network.linear(x.slice(0, 0, rows), layer);
        ops.linear(floats.slice(0, 0, rows), w);
      }
      int kinds = 15 + 7; // fewer than 16 rows, and multiples of 16 from 32 on
      assertTrue(OneDnn.compiled() - compiled <= 2 * kinds + 1, "one more to pack the weights");
    }
  }

  @Test
  void promptsOfSimilarLengths() {
    var x = Tensor.allocate(Arena.ofAuto(), Plain.F32, MOST, 2, 64);
    try (var ops = new Ops(Backend.NATIVE, 2, Precision.FAST);
        var cache = Cached.of(2, 64, Plain.F16, MOST)) {
      cache.put(ops, 0, x, x);
      cache.attention(ops, x, 0, AttentionSpec.of(64));
      int compiled = OneDnn.compiled();
      for (int length = 97; length < MOST; length++) {
        cache.attention(ops, x.slice(0, 0, length), 0, AttentionSpec.of(64));
      }
      assertEquals(compiled, OneDnn.compiled());
    }
  }
}
