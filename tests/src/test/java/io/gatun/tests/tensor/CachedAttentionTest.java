package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Attention over a cache against its definition, with every score in memory.
class CachedAttentionTest {
  private static final int LENGTH = 333;
  private static final int HEADS = 6;
  private static final int KV_HEADS = 2;
  private static final int C = 20;

  private final Random random = new Random(7);
  private final Tensor q = random(LENGTH, HEADS);
  private final Tensor k = random(LENGTH, KV_HEADS);
  private final Tensor v = random(LENGTH, KV_HEADS);
  private final Tensor sinks =
      Tensor.ofFloats(Arena.ofAuto(), new float[] {-2, 0, 1, 3, 30, -30}, HEADS);

  private Tensor random(int tokens, int heads) {
    var values = new float[tokens * heads * C];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, tokens, heads, C);
  }

  @ParameterizedTest
  @EnumSource(Backend.class)
  void asDefined(Backend backend) {
    var plain = new AttentionSpec(0.4f, 0);
    check(backend, plain);
    check(backend, plain.softcap(1.5f));
    check(backend, plain.softcap(50).window(70));
    check(backend, plain.sinks(sinks));
    check(backend, plain.sinks(sinks).window(5));
    check(backend, plain.sinks(sinks).window(100).softcap(2));
  }

  /// All rows at once, and the last one alone, whose positions workers share.
  private void check(Backend backend, AttentionSpec spec) {
    try (var ops = new Ops(backend, 2);
        var cache = Cached.of(KV_HEADS, C, DType.Plain.F32, LENGTH)) {
      cache.put(ops, 0, k, v);
      for (int from : new int[] {0, LENGTH - 1}) {
        var rows = q.slice(0, from, LENGTH);
        try (var _ = ops.scope()) {
          float[] found = cache.attention(ops, rows, from, spec).toFloats();
          for (int t = from; t < LENGTH; t++) {
            for (int h = 0; h < HEADS; h++) {
              double[] expected = defined(spec, t, h);
              for (int i = 0; i < C; i++) {
                assertEquals(
                    expected[i], found[((t - from) * HEADS + h) * C + i], 2e-5, spec + " at " + t);
              }
            }
          }
        }
      }
    }
  }

  private double[] defined(AttentionSpec spec, int t, int h) {
    var sum = new double[C];
    double total = spec.sinks() == null ? 0 : Math.exp(spec.sinks().getFloat(h));
    int first = spec.window() == 0 ? 0 : Math.max(0, t - spec.window() + 1);
    int g = h / (HEADS / KV_HEADS);
    for (int s = first; s <= t; s++) {
      double score = 0;
      for (int i = 0; i < C; i++) {
        score += (double) q.getFloat(t, h, i) * k.getFloat(s, g, i) * spec.scale();
      }
      if (spec.softcap() > 0) {
        score = spec.softcap() * Math.tanh(score / spec.softcap());
      }
      double e = Math.exp(score);
      total += e;
      for (int i = 0; i < C; i++) {
        sum[i] += e * v.getFloat(s, g, i);
      }
    }
    for (int i = 0; i < C; i++) {
      sum[i] /= total;
    }
    return sum;
  }

  /// The first numbers of a head turn, and the rest stays.
  @ParameterizedTest
  @EnumSource(Backend.class)
  void ropeOfAPartOfAHead(Backend backend) {
    try (var ops = new Ops(backend, 2);
        var _ = ops.scope()) {
      float[] before = q.toFloats();
      var x = q.copy(Arena.ofAuto());
      var cos = Tensor.ofFloats(Arena.ofAuto(), new float[LENGTH * 6], LENGTH, 6);
      var turn = new float[LENGTH * 6];
      for (int i = 0; i < turn.length; i++) {
        turn[i] = i % 6 < 3 ? -1 : 1;
      }
      ops.rope(x, cos, Tensor.ofFloats(Arena.ofAuto(), turn, LENGTH, 6), false);
      float[] after = x.toFloats();
      for (int i = 0; i < after.length; i++) {
        int c = i % C;
        float expected = c < 3 ? -before[i + 3] : c < 6 ? before[i - 3] : before[i];
        assertEquals(expected, after[i], "number " + c);
      }
    }
  }

  /// What is no number, or too large for the cache's type, is not taken for one that is.
  @ParameterizedTest
  @EnumSource(Backend.class)
  void notFinite(Backend backend) {
    for (float bad : new float[] {Float.NaN, 1e6f}) {
      var keys = k.copy(Arena.ofAuto());
      var values = v.copy(Arena.ofAuto());
      keys.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 7, Float.NaN);
      values.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 7, bad);
      try (var ops = new Ops(backend, 2);
          var cache = Cached.of(KV_HEADS, C, DType.Plain.F16, LENGTH);
          var _ = ops.scope()) {
        var last = q.slice(0, LENGTH - 1, LENGTH);
        cache.put(ops, 0, k, values);
        float value = cache.attention(ops, last, LENGTH - 1, AttentionSpec.of(C)).getFloat(0, 0, 7);
        assertFalse(Float.isFinite(value), bad + " became " + value);
        cache.put(ops, 0, keys, v);
        float key = cache.attention(ops, last, LENGTH - 1, AttentionSpec.of(C)).getFloat(0, 0, 0);
        assertFalse(Float.isFinite(key), "NaN became " + key);
      }
    }
  }

  @Test
  void whatCannotBeIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new AttentionSpec(1, -1));
    assertThrows(IllegalArgumentException.class, () -> new AttentionSpec(Float.NaN, 0));
    assertThrows(IllegalArgumentException.class, () -> AttentionSpec.of(4).softcap(-1));
    try (var ops = new Ops(Backend.SCALAR, 1);
        var cache = Cached.of(KV_HEADS, C, DType.Plain.F32, LENGTH)) {
      cache.put(ops, 0, k, v);
      var five = sinks.slice(0, 0, 5);
      var spec = AttentionSpec.of(C).sinks(five);
      assertThrows(IllegalArgumentException.class, () -> cache.attention(ops, q, 0, spec));
    }
  }
}
