package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.RelativePositions;
import org.junit.jupiter.api.Test;

/// Attention gives on every backend and in both types what the definition gives.
class AttentionTest {
  private final FunctionalFixture fixture = new FunctionalFixture();

  @Test
  void scalarAttentionIsTheDefinition() {
    var q = fixture.random(DType.Plain.F32, 1, 6, 4);
    var k = fixture.random(DType.Plain.F32, 1, 6, 4);
    var v = fixture.random(DType.Plain.F32, 1, 6, 4);
    var height = fixture.random(DType.Plain.F32, 3, 4);
    var width = fixture.random(DType.Plain.F32, 5, 4);
    float[] found =
        fixture.result(
            Backend.SCALAR,
            DType.Plain.F32,
            f ->
                f.attention(
                    q,
                    k,
                    v,
                    1,
                    AttentionSpec.full(0.5f).on(new RelativePositions(height, width, 2, 3))));
    var expected = new float[24];
    for (int t = 0; t < 6; t++) {
      var sums = new double[4];
      double total = 0;
      for (int s = 0; s < 6; s++) {
        double score = 0;
        for (int c = 0; c < 4; c++) {
          score +=
              q.getFloat(0, t, c)
                  * (k.getFloat(0, s, c) * 0.5
                      + height.getFloat(t / 3 - s / 3 + 1, c)
                      + width.getFloat(t % 3 - s % 3 + 2, c));
        }
        total += Math.exp(score);
        for (int c = 0; c < 4; c++) {
          sums[c] += Math.exp(score) * v.getFloat(0, s, c);
        }
      }
      for (int c = 0; c < 4; c++) {
        expected[4 * t + c] = (float) (sums[c] / total);
      }
    }
    FunctionalFixture.compare(expected, found, 1e-6, "definition");
  }

  @Test
  void withoutBias() {
    check(1, 1, 1, 1, 1);
    check(2, 7, 33, 3, 5);
    check(1, 77, 77, 2, 64);
    check(2, 300, 77, 2, 40);
    check(1, 9, 1500, 2, 16);
    check(1, 130, 2100, 1, 80);
    check(1, 20, 20, 1, 512);
  }

  /// Many rows and a few, whose heads are multiplied together.
  @Test
  void betweenManyRowsAndAFew() {
    check(2, 300, 7, 8, 16);
    check(1, 513, 16, 2, 40);
    check(1, 256, 1, 4, 8);
    check(3, 7, 1500, 8, 16);
    check(1, 28, 300, 8, 16);
  }

  /// One row of queries for all batches, as a view.
  @Test
  void fewKeysOfViews() {
    var q = fixture.random(DType.Plain.F32, 1, 300, 64);
    var k = fixture.random(DType.Plain.F32, 2, 5, 64);
    var v = fixture.random(DType.Plain.F32, 2, 5, 64);
    fixture.agree("views: ", f -> ofBatches(f, q, k, v));
    Floats.set(k.segment(), 0, 7 * 64, Float.NaN); // of the second batch's third key
    float[] found = fixture.result(Backend.NATIVE, DType.Plain.BF16, f -> ofBatches(f, q, k, v));
    for (int i = 0; i < 300 * 64; i++) {
      assertFalse(Float.isNaN(found[i]), "element " + i);
    }
    // The key is of the first of four heads; what multiplies heads together has it in all of them.
    for (int i = 300 * 64; i < found.length; i++) {
      assertTrue(Float.isNaN(found[i]) || i % 64 >= 16, "element " + i);
    }
  }

  private Tensor ofBatches(Functional f, Tensor q, Tensor k, Tensor v) {
    var one = fixture.as(f.dtype(), q);
    var all = Tensor.strided(one.segment(), one.dtype(), Shape.of(2, 300, 64), 0, 64, 1);
    return f.attention(
        all, fixture.as(f.dtype(), k), fixture.as(f.dtype(), v), 4, AttentionSpec.full(0.2f));
  }

  private void check(int batch, int queries, int keys, int heads, int c) {
    var q = fixture.random(DType.Plain.F32, batch, queries, (long) heads * c);
    var k = fixture.random(DType.Plain.F32, batch, keys, (long) heads * c);
    var v = fixture.random(DType.Plain.F32, batch, keys, (long) heads * c);
    agree(
        "%d x %d, %d of %d: ".formatted(queries, keys, heads, c),
        q,
        k,
        v,
        heads,
        AttentionSpec.full(1));
  }

  private void agree(String what, Tensor q, Tensor k, Tensor v, int heads, AttentionSpec spec) {
    float scale = (float) (1 / Math.sqrt((double) q.dim(2) / heads));
    fixture.agree(
        what,
        f ->
            f.attention(
                fixture.as(f.dtype(), q),
                fixture.as(f.dtype(), k),
                fixture.as(f.dtype(), v),
                heads,
                spec.scale(scale)));
  }

  /// Whatever lies behind the queries, or unused in the workspace.
  @Test
  void readsNothingElse() {
    for (int c : new int[] {24, 40, 64, 77, 80}) {
      var q = fixture.random(DType.Plain.F32, 1, 65, 2L * c);
      for (int i = 0; i < 2 * c; i++) {
        Floats.set(q.segment(), 0, 2L * c * 64 + i, Float.NaN);
      }
      var k = fixture.random(DType.Plain.F32, 1, 77, 2L * c);
      var v = fixture.random(DType.Plain.F32, 1, 77, 2L * c);
      fixture.agree(
          "heads of %d: ".formatted(c),
          f -> {
            var all = fixture.as(f.dtype(), q);
            try (var _ = f.scope()) {
              f.ops().workspace().take(16 << 20).fill((byte) -1);
            }
            return f.attention(
                all.slice(1, 0, 64),
                fixture.as(f.dtype(), k),
                fixture.as(f.dtype(), v),
                2,
                AttentionSpec.full(0.15f));
          });
    }
  }

  @Test
  void causal() {
    for (int tokens : new int[] {1, 17, 77, 300, 1100}) {
      var q = fixture.random(DType.Plain.F32, 1, tokens, 24);
      var k = fixture.random(DType.Plain.F32, 1, tokens, 24);
      var v = fixture.random(DType.Plain.F32, 1, tokens, 24);
      agree(tokens + " ", q, k, v, 2, new AttentionSpec(1, 0));
    }
  }

  /// What fills up the rows of so few scores must not reach the next row.
  @Test
  void fewKeys() {
    var q = fixture.random(DType.Plain.F32, 1, 40, 32);
    for (int keys : new int[] {1, 2, 7, 15, 16, 17, 31, 33}) {
      var k = fixture.random(DType.Plain.F32, 1, keys, 32);
      var v = fixture.random(DType.Plain.F32, 1, keys, 32);
      agree(keys + " keys ", q, k, v, 2, AttentionSpec.full(0.5f));
    }
  }

  /// Near keys alone, also where the first block of keys, or all but a query itself, is out of
  /// sight.
  @Test
  void windows() {
    for (int tokens : new int[] {1, 17, 77, 300, 1100, 2100}) {
      var q = fixture.random(DType.Plain.F32, 1, tokens, 24);
      var k = fixture.random(DType.Plain.F32, 1, tokens, 24);
      var v = fixture.random(DType.Plain.F32, 1, tokens, 24);
      for (int distance : new int[] {0, 4, 64, 5000}) {
        var spec = AttentionSpec.full(1).window(distance + 1);
        agree(tokens + " within " + distance + " ", q, k, v, 2, spec);
      }
    }
  }

  @Test
  void relativePositions() {
    for (int[] grid : new int[][] {{1, 1}, {3, 2}, {14, 14}, {17, 16}, {40, 33}}) {
      long tokens = (long) grid[0] * grid[1];
      var q = fixture.random(DType.Plain.F32, 2, tokens, 32);
      var k = fixture.random(DType.Plain.F32, 2, tokens, 32);
      var v = fixture.random(DType.Plain.F32, 2, tokens, 32);
      var height = fixture.random(DType.Plain.F32, 2L * grid[0] - 1, 16);
      var width = fixture.random(DType.Plain.F32, 2L * grid[1] - 1, 16);
      var grids = new RelativePositions(height, width, grid[0], grid[1]);
      agree(grid[0] + " x " + grid[1] + " ", q, k, v, 2, AttentionSpec.full(1).on(grids));
    }
  }

  /// Scores far from zero neither overflow nor lose what is left of the others.
  @Test
  void greatScores() {
    var q = fixture.random(DType.Plain.F32, 1, 40, 16);
    var k = fixture.random(DType.Plain.F32, 1, 1300, 16);
    var v = fixture.random(DType.Plain.F32, 1, 1300, 16);
    fixture.agree(
        "",
        f ->
            f.attention(
                fixture.as(f.dtype(), q),
                fixture.as(f.dtype(), k),
                fixture.as(f.dtype(), v),
                1,
                AttentionSpec.full(30)));
  }

  /// A NaN is not hidden: the rows that see it are NaN, the others are not.
  @Test
  void nanStaysNan() {
    for (var dtype : FunctionalFixture.TYPES) {
      var q = fixture.random(dtype, 1, 40, 16);
      var k = fixture.random(dtype, 1, 1300, 16);
      Floats.store(dtype, q.segment(), 0, 16, Float.NaN);
      for (Backend backend : Backend.values()) {
        float[] found =
            fixture.result(backend, dtype, f -> f.attention(q, k, k, 1, AttentionSpec.full(0.25f)));
        for (int i = 0; i < found.length; i++) {
          assertEquals(i / 16 == 1, Float.isNaN(found[i]), backend + " " + dtype + " " + i);
        }
      }
    }
  }

  /// Values of another size than keys, with everything that a spec can ask for.
  @Test
  void softcapSinksAndOtherValues() {
    var q = fixture.random(DType.Plain.F32, 2, 70, 2 * 16);
    var k = fixture.random(DType.Plain.F32, 2, 70, 2 * 16);
    var v = fixture.random(DType.Plain.F32, 2, 70, 2 * 24);
    var sinks = fixture.random(DType.Plain.F32, 2);
    var spec = AttentionSpec.full(0.5f).softcap(1.5f).sinks(sinks);
    agree("full ", q, k, v, 2, spec);
    agree("causal ", q, k, v, 2, new AttentionSpec(1, 0).softcap(3).sinks(sinks));
    agree("window ", q, k, v, 2, spec.window(9));
  }

  @Test
  void queriesKeysAndValuesMayBeSlicesOfOneProjection() {
    var qkv = fixture.random(DType.Plain.F32, 2, 50, 3 * 48);
    fixture.agree(
        "",
        f -> {
          var all = fixture.as(f.dtype(), qkv);
          return f.attention(
              all.slice(2, 0, 48),
              all.slice(2, 48, 96),
              all.slice(2, 96, 144),
              3,
              AttentionSpec.full(0.25f));
        });
  }

  /// Keys that all batches share have batch stride 0.
  @Test
  void batchesMayShareKeys() {
    var q = fixture.random(DType.Plain.F32, 3, 5, 16);
    var k = fixture.random(DType.Plain.F32, 1, 40, 16);
    fixture.agree(
        "",
        f -> {
          var keys = fixture.as(f.dtype(), k);
          var shared = Tensor.strided(keys.segment(), f.dtype(), Shape.of(3, 40, 16), 0, 16, 1);
          return f.attention(fixture.as(f.dtype(), q), shared, shared, 2, AttentionSpec.full(0.3f));
        });
  }

  /// Texts one after the other, some of one length, one empty, one too long for what short ones
  /// use: each sees itself alone.
  @Test
  void textsOfAnyLengths() {
    int[] starts = {0, 1, 6, 11, 11, 44, 121, 750, 752};
    var qkv = fixture.random(DType.Plain.F32, 752, 3 * 48);
    for (var spec :
        new AttentionSpec[] {
          AttentionSpec.full(0.25f),
          new AttentionSpec(0.25f, 0),
          AttentionSpec.full(0.25f).window(10)
        }) {
      fixture.agree(
          spec + " ",
          f -> {
            var all = fixture.as(f.dtype(), qkv);
            var q = all.slice(1, 0, 48);
            var k = all.slice(1, 48, 96);
            var v = all.slice(1, 96, 144);
            if (f.ops().backend() != Backend.SCALAR) {
              return f.attention(q, k, v, starts, 3, spec);
            }
            var alone = f.empty(752, 48);
            for (int i = 1; i < starts.length; i++) {
              var one = new int[] {0, starts[i] - starts[i - 1]};
              int from = starts[i - 1];
              var y =
                  f.attention(
                      q.slice(0, from, starts[i]),
                      k.slice(0, from, starts[i]),
                      v.slice(0, from, starts[i]),
                      one,
                      3,
                      spec);
              long row = 48L * f.dtype().blockBytes();
              alone.segment().asSlice(from * row).copyFrom(y.segment());
            }
            return alone;
          });
    }
  }

  @Test
  void textsThatDoNotFitAreErrors() {
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      var f = new Functional(ops, DType.Plain.F32);
      var x = fixture.random(DType.Plain.F32, 6, 8);
      for (int[] starts : new int[][] {{}, {0}, {1, 6}, {0, 7}, {0, 4, 3, 6}}) {
        assertThrows(
            IllegalArgumentException.class,
            () -> f.attention(x, x, x, starts, 2, AttentionSpec.full(1)));
      }
      var table = fixture.random(DType.Plain.F32, 3, 4);
      assertThrows(
          IllegalArgumentException.class,
          () ->
              f.attention(
                  x,
                  x,
                  x,
                  new int[] {0, 6},
                  2,
                  AttentionSpec.full(1).on(new RelativePositions(table, table, 2, 2))));
    }
  }

  @Test
  void wrongShapesAreErrors() {
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      var f = new Functional(ops, DType.Plain.F32);
      var x = fixture.random(DType.Plain.F32, 1, 6, 8);
      var y = fixture.random(DType.Plain.F32, 1, 7, 8);
      var table = fixture.random(DType.Plain.F32, 5, 4);
      refused(f, x, x, y, 2, AttentionSpec.full(1));
      refused(f, x, x, x, 3, AttentionSpec.full(1));
      refused(f, x, y, y, 2, new AttentionSpec(1, 0));
      refused(f, x, x, x, 2, AttentionSpec.full(1).on(new RelativePositions(table, table, 3, 3)));
      refused(f, x, x, fixture.random(DType.Plain.BF16, 1, 6, 8), 2, AttentionSpec.full(1));
      refused(f, x.transpose(1, 2), x.transpose(1, 2), x.transpose(1, 2), 2, AttentionSpec.full(1));
    }
  }

  private static void refused(
      Functional f, Tensor q, Tensor k, Tensor v, int heads, AttentionSpec spec) {
    assertThrows(IllegalArgumentException.class, () -> f.attention(q, k, v, heads, spec));
  }
}
