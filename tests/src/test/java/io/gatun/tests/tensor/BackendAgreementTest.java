package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Every operation gives on every backend what it gives on the scalar one, at sizes that fit no
/// vector.
class BackendAgreementTest {
  private static final int[] SIZES = {1, 2, 31, 32, 33, 207};

  private final Random random = new Random(7);
  private final Arena arena = Arena.ofAuto();

  @ParameterizedTest
  @EnumSource(
      value = Backend.class,
      names = {"VECTOR", "NATIVE"})
  void rowOperations(Backend backend) {
    for (int n : SIZES) {
      var x = random(3, n);
      var y = random(3, n);
      var w = random(n);
      agree(backend, n, (ops, a) -> ops.rmsNorm(x, w, 1e-5f));
      agree(backend, n, (ops, a) -> inPlace(x, t -> ops.addInPlace(t, y)));
      agree(backend, n, (ops, a) -> inPlace(x, t -> ops.addBias(t, w)));
      agree(backend, n, (ops, a) -> inPlace(x, ops::softmax));
      agree(
          backend, n, (ops, a) -> inPlace(x, t -> ops.addScaledRow(t, 1, y.slice(0, 2, 3), -0.7f)));
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Backend.class,
      names = {"VECTOR", "NATIVE"})
  void linear(Backend backend) {
    for (int k : SIZES) {
      for (int n : SIZES) {
        for (int t : new int[] {1, 5, 33}) {
          var x = random(t, k);
          var w = random(n, k);
          var bias = random(n);
          agree(backend, k, (ops, a) -> ops.linear(x, w, bias));
          var up = random(n, k);
          agree(
              backend,
              k,
              (ops, a) ->
                  ops.gatedLinears(List.of(ops.activations(x)), List.of(w), List.of(up))[0]);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Backend.class,
      names = {"VECTOR", "NATIVE"})
  void linearsOfSeveralWeightsAndTypes(Backend backend) {
    var x = random(3, 96);
    var a = random(31, 96);
    var b = convert(random(65, 96), DType.Plain.BF16);
    var c = convert(random(2, 96), DType.Plain.F16);
    for (int i = 0; i < 3; i++) {
      int which = i;
      agree(backend, 96, (ops, ar) -> ops.linears(x, a, b, c)[which]);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Backend.class,
      names = {"VECTOR", "NATIVE"})
  void rope(Backend backend) {
    for (int c : new int[] {2, 6, 16, 32, 64, 128}) {
      var x = random(3, 2, c);
      var cos = random(3, c);
      var sin = random(3, c);
      for (boolean interleaved : new boolean[] {true, false}) {
        agree(backend, 1, (ops, a) -> inPlace(x, t -> ops.rope(t, cos, sin, interleaved)));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Backend.class,
      names = {"VECTOR", "NATIVE"})
  void attention(Backend backend) {
    for (var type :
        new DType.Plain[] {DType.Plain.F32, DType.Plain.F16, DType.Plain.BF16, DType.Plain.I8}) {
      for (int tokens : new int[] {1, 7, 65, 207}) {
        for (int group : new int[] {1, 3}) {
          var q = random(tokens, 2L * group, 24);
          var k = random(tokens, 2, 24);
          var v = random(tokens, 2, 24);
          for (int window : new int[] {0, 5, 100}) {
            agree(
                backend,
                tokens,
                (ops, a) -> {
                  try (var cache = Cached.of(2, 24, type, 512)) {
                    cache.put(ops, 0, k, v);
                    return cache.attention(ops, q, 0, new AttentionSpec(0.2f, window));
                  }
                });
          }
        }
      }
    }
  }

  /// Few rows at the end of a long context, where the positions are shared out in parts.
  @ParameterizedTest
  @EnumSource(
      value = Backend.class,
      names = {"VECTOR", "NATIVE"})
  void attentionOverManyPositions(Backend backend) {
    int length = 1100;
    var k = random(length, 2, 24);
    var v = random(length, 2, 24);
    for (var type : new DType.Plain[] {DType.Plain.F32, DType.Plain.I8}) {
      for (int tokens : new int[] {1, 5}) {
        var q = random(tokens, 6, 24);
        for (int window : new int[] {0, 3, 600}) {
          BiFunction<Ops, Arena, Tensor> last =
              (ops, a) -> {
                try (var cache = Cached.of(2, 24, type, length)) {
                  cache.put(ops, 0, k, v);
                  return cache.attention(ops, q, length - tokens, new AttentionSpec(0.2f, window));
                }
              };
          agree(backend, length, last);
          assertArrayEquals(floats(backend, 1, last), floats(backend, 3, last));
        }
      }
    }
  }

  private float[] floats(Backend backend, int threads, BiFunction<Ops, Arena, Tensor> operation) {
    try (var ops = new Ops(backend, threads)) {
      return operation.apply(ops, arena).toFloats();
    }
  }

  /// Rounding keys and values to 8 bits moves a result by about their steps, 1/254 of the greatest
  /// of a head's elements, and not by more.
  @Test
  void attentionOverIntegersIsNearThatOverFloats() {
    int length = 700;
    int c = 64;
    var k = random(length, 2, c);
    var v = random(length, 2, c);
    var q = random(3, 4, c);
    try (var ops = new Ops(Backend.VECTOR, 2);
        var exact = Cached.of(2, c, DType.Plain.F32, length);
        var rounded = Cached.of(2, c, DType.Plain.I8, length)) {
      exact.put(ops, 0, k, v);
      rounded.put(ops, 0, k, v);
      float[] expected =
          exact.attention(ops, q, length - 3, new AttentionSpec(0.125f, 0)).toFloats();
      float[] found =
          rounded.attention(ops, q, length - 3, new AttentionSpec(0.125f, 0)).toFloats();
      double squares = 0;
      double errors = 0;
      for (int i = 0; i < expected.length; i++) {
        squares += expected[i] * expected[i];
        errors += (found[i] - expected[i]) * (found[i] - expected[i]);
      }
      assertEquals(0, Math.sqrt(errors / squares), 0.015);
      assertTrue(rounded.pool().used() < 0.3 * exact.pool().used());
    }
  }

  @Test
  void cachesRefuseOtherTypes() {
    var refused =
        assertThrows(IllegalArgumentException.class, () -> Cached.of(1, 8, DType.Plain.U8, 64));
    assertTrue(refused.getMessage().contains("need one of"), refused.getMessage());
  }

  /// The scalar backend itself against the definition, with every score in memory.
  @Test
  void scalarAttentionIsSoftmaxOfScoresTimesValues() {
    int tokens = 131;
    int c = 8;
    var q = random(tokens, 1, c);
    var k = random(tokens, 1, c);
    var v = random(tokens, 1, c);
    try (var ops = new Ops(Backend.SCALAR, 2);
        var cache = Cached.of(1, c, DType.Plain.F32, tokens)) {
      cache.put(ops, 0, k, v);
      for (int window : new int[] {0, 70}) {
        float[] found = cache.attention(ops, q, 0, new AttentionSpec(0.5f, window)).toFloats();
        for (int t = 0; t < tokens; t++) {
          var sum = new double[c];
          double total = 0;
          for (int s = window == 0 ? 0 : Math.max(0, t - window + 1); s <= t; s++) {
            double dot = 0;
            for (int i = 0; i < c; i++) {
              dot += (double) q.getFloat(t, 0, i) * k.getFloat(s, 0, i);
            }
            double e = Math.exp(dot * 0.5);
            total += e;
            for (int i = 0; i < c; i++) {
              sum[i] += e * v.getFloat(s, 0, i);
            }
          }
          for (int i = 0; i < c; i++) {
            assertEquals(sum[i] / total, found[t * c + i], 1e-5);
          }
        }
      }
    }
  }

  /// Attending in pieces, as a conversation does, equals attending at once.
  @Test
  void attentionInStepsEqualsAttentionAtOnce() {
    var q = random(100, 4, 16);
    var k = random(100, 2, 16);
    var v = random(100, 2, 16);
    try (var ops = new Ops(Backend.NATIVE, 2);
        var once = Cached.of(2, 16, DType.Plain.F32, 100);
        var steps = Cached.of(2, 16, DType.Plain.F32, 100)) {
      once.put(ops, 0, k, v);
      float[] whole = once.attention(ops, q, 0, new AttentionSpec(0.25f, 0)).toFloats();
      int[] cuts = {0, 1, 2, 63, 64, 65, 90, 100};
      for (int i = 0; i + 1 < cuts.length; i++) {
        int from = cuts[i];
        int to = cuts[i + 1];
        steps.put(ops, from, k.slice(0, from, to), v.slice(0, from, to));
        float[] part =
            steps
                .attention(ops, q.slice(0, from, to), from, new AttentionSpec(0.25f, 0))
                .toFloats();
        for (int j = 0; j < part.length; j++) {
          assertEquals(whole[from * 64 + j], part[j], 1e-5);
        }
      }
    }
  }

  @Test
  void shapesAreChecked() {
    try (var ops = new Ops(Backend.VECTOR, 1)) {
      assertThrows(IllegalArgumentException.class, () -> ops.linear(random(1, 32), random(8, 31)));
      assertThrows(
          IllegalArgumentException.class, () -> ops.addInPlace(random(1, 32), random(32, 1)));
      assertThrows(
          IndexOutOfBoundsException.class, () -> ops.embedding(new int[] {0, 8}, random(8, 4)));
    }
  }

  private void agree(Backend backend, int length, BiFunction<Ops, Arena, Tensor> operation) {
    try (var reference = new Ops(Backend.SCALAR, 1);
        var tested = new Ops(backend, 2)) {
      float[] expected = operation.apply(reference, arena).toFloats();
      float[] found = operation.apply(tested, arena).toFloats();
      assertEquals(expected.length, found.length);
      // A sum of n products of unit normals is of the order of sqrt(n), even where it happens to be
      // near 0.
      float max = (float) Math.sqrt(length);
      for (float e : expected) {
        max = Math.max(max, Math.abs(e));
      }
      double tolerance = 2e-7 * max * (8 + Math.sqrt(length));
      for (int i = 0; i < found.length; i++) {
        assertEquals(expected[i], found[i], tolerance, "element " + i);
      }
    }
  }

  private Tensor inPlace(Tensor x, Consumer<Tensor> operation) {
    var copy = Tensor.ofFloats(arena, x.toFloats(), x.shape().dims());
    operation.accept(copy);
    return copy;
  }

  private Tensor random(long... dims) {
    var t = Tensor.allocate(arena, DType.Plain.F32, dims);
    for (long i = 0; i < t.size(); i++) {
      t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return t;
  }

  private Tensor convert(Tensor x, DType.Plain type) {
    var t = Tensor.allocate(arena, type, x.shape().dims());
    for (int i = 0; i < x.size(); i++) {
      Floats.store(type, t.segment(), 0, i, x.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i));
    }
    return t;
  }
}
