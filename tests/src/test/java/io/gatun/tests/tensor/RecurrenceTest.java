package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Recurrence;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.LayerState;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tensor.sequence.Span;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Layers with a state against their equations in double precision, two sequences at once, at sizes
/// that fit no vector; and cut into steps, bit for bit.
class RecurrenceTest {
  private static final int FIRST = 11;
  private static final int ROWS = 18;

  private final Random random = new Random(23);
  private final Arena arena = Arena.ofAuto();

  @ParameterizedTest
  @EnumSource(Backend.class)
  void convolution(Backend backend) {
    for (int n : new int[] {7, 256, 301}) {
      for (int taps : new int[] {2, 4}) {
        var x = random(ROWS, n);
        var w = random(taps, n);
        var bias = random(n);
        var start = random(taps - 1, n);
        var expected = new double[ROWS * n];
        for (int t = 0; t < ROWS; t++) {
          int from = t < FIRST ? 0 : FIRST;
          for (int c = 0; c < n; c++) {
            double sum = bias.getFloat(c);
            for (int j = 0; j < taps; j++) {
              int row = t - from - (taps - 1) + j;
              float v = row < 0 ? start.getFloat(row + taps - 1, c) : x.getFloat(from + row, c);
              sum += (double) w.getFloat(j, c) * v;
            }
            expected[t * n + c] = sum / (1 + Math.exp(-sum));
          }
        }
        check(
            backend,
            expected,
            List.of(start),
            (ops, r, from, to) ->
                r.convolution(x.slice(0, from, to), w, bias, Activation.SILU).toFloats());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backend.class)
  void deltaRule(Backend backend) {
    for (int[] size : new int[][] {{12, 8}, {7, 64}, {16, 80}, {64, 128}}) {
      for (boolean neighbours : new boolean[] {true, false}) {
        var heads = new Recurrence.Heads(2, size[0], 6, size[1], neighbours);
        var qkv = random(ROWS, 2 * heads.keyWidth() + heads.valueWidth());
        var raw = random(ROWS, 6);
        var beta = random(ROWS, 6);
        var a = random(6).map(v -> -Math.exp(v));
        var bias = random(6);
        var start = random(6, size[0], size[1]);
        check(
            backend,
            new Reference(heads, qkv, raw, a, bias, start).deltaRule(beta),
            List.of(start, start),
            (ops, r, from, to) ->
                r.deltaRule(
                        qkv.slice(0, from, to).copy(arena),
                        new Recurrence.Decay(a, bias, raw.slice(0, from, to)),
                        beta.slice(0, from, to),
                        heads)
                    .toFloats());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backend.class)
  void stateSpace(Backend backend) {
    for (int[] size : new int[][] {{10, 8}, {33, 64}, {16, 80}}) {
      var heads = new Recurrence.Heads(2, size[0], 6, size[1], true);
      var xbc = random(ROWS, 2 * heads.keyWidth() + heads.valueWidth());
      var raw = random(ROWS, 6);
      var a = random(6).map(v -> -Math.exp(v));
      var bias = random(6);
      var skip = random(6);
      var start = random(6, size[0], size[1]);
      check(
          backend,
          new Reference(heads, xbc, raw, a, bias, start).stateSpace(skip, 0.5),
          List.of(start, start),
          (ops, r, from, to) ->
              r.stateSpace(
                      xbc.slice(0, from, to).copy(arena),
                      new Recurrence.Decay(a, bias, raw.slice(0, from, to)),
                      skip,
                      0.5f,
                      heads)
                  .toFloats());
    }
  }

  private interface Operation {
    float[] run(Ops ops, Recurrence r, int from, int to);
  }

  private void check(Backend backend, double[] expected, List<Tensor> start, Operation operation) {
    var shapes = start.stream().map(Tensor::shape).toList();
    var layout = new CacheLayout(List.of(new LayerState.Recurrent(shapes)), DType.Plain.F32);
    try (var ops = new Ops(backend, 2);
        var _ = ops.scope();
        var pool = new KvPool(1 << 24);
        var a = sequence(pool, layout, start);
        var b = sequence(pool, layout, start);
        var c = sequence(pool, layout, start)) {
      var both = List.of(new Span(0, FIRST, a), new Span(FIRST, ROWS, b));
      float[] whole = operation.run(ops, new Recurrence(ops, both, 0), 0, ROWS);
      assertEquals(expected.length, whole.length);
      for (int i = 0; i < whole.length; i++) {
        assertEquals(expected[i], whole[i], 2e-5 * (1 + Math.abs(expected[i])), backend + " " + i);
      }
      int width = whole.length / ROWS;
      var parts = new float[FIRST * width];
      int[] cuts = {0, 1, 2, 7, FIRST};
      for (int i = 1; i < cuts.length; i++) {
        var span = new Span(0, cuts[i] - cuts[i - 1], c);
        float[] y = operation.run(ops, new Recurrence(ops, List.of(span), 0), cuts[i - 1], cuts[i]);
        System.arraycopy(y, 0, parts, cuts[i - 1] * width, y.length);
      }
      assertArrayEquals(Arrays.copyOf(whole, parts.length), parts);
    }
  }

  private static Sequence sequence(KvPool pool, CacheLayout layout, List<Tensor> start) {
    var sequence = new Sequence(pool, layout, ROWS);
    sequence.reserve(ROWS);
    for (int i = 0; i < start.size(); i++) {
      sequence.recurrent(0).get(i).segment().copyFrom(start.get(i).segment());
    }
    return sequence;
  }

  private Tensor random(long... dims) {
    var t = Tensor.allocate(arena, DType.Plain.F32, dims);
    return t.map(v -> random.nextGaussian()).copy(arena);
  }

  /// The equations, one number after the other.
  private record Reference(
      Recurrence.Heads heads, Tensor x, Tensor raw, Tensor a, Tensor bias, Tensor start) {
    double[] deltaRule(Tensor beta) {
      int k = heads.keySize();
      int keys = heads.keyWidth();
      return each(
          (t, h, key, state, out) -> {
            double[] q = row(t, key * k, k);
            double[] w = row(t, keys + key * k, k);
            scale(q, 1 / Math.sqrt(k));
            scale(w, 1);
            double[] v = row(t, 2 * keys + h * heads.valueSize(), heads.valueSize());
            double rate = 1 / (1 + Math.exp(-beta.getFloat(t, h)));
            for (int c = 0; c < v.length; c++) {
              double told = 0;
              for (int i = 0; i < k; i++) {
                state[i][c] *= Math.exp(a.getFloat(h) * step(t, h));
                told += w[i] * state[i][c];
              }
              for (int i = 0; i < k; i++) {
                state[i][c] += w[i] * rate * (v[c] - told);
                out[c] += q[i] * state[i][c];
              }
            }
          });
    }

    double[] stateSpace(Tensor skip, double least) {
      int k = heads.keySize();
      int values = heads.valueWidth();
      return each(
          (t, h, key, state, out) -> {
            double[] v = row(t, h * heads.valueSize(), heads.valueSize());
            double[] b = row(t, values + key * k, k);
            double[] c = row(t, values + heads.keyWidth() + key * k, k);
            double d = Math.max(least, step(t, h));
            for (int p = 0; p < v.length; p++) {
              out[p] = skip.getFloat(h) * v[p];
              for (int i = 0; i < k; i++) {
                state[i][p] = Math.exp(a.getFloat(h) * d) * state[i][p] + d * v[p] * b[i];
                out[p] += c[i] * state[i][p];
              }
            }
          });
    }

    private interface Head {
      void row(int t, int head, int key, double[][] state, double[] out);
    }

    private double[] each(Head equation) {
      int v = heads.valueSize();
      var all = new double[ROWS * heads.valueWidth()];
      for (int h = 0; h < heads.values(); h++) {
        double[][] state = null;
        for (int t = 0; t < ROWS; t++) {
          if (t == 0 || t == FIRST) {
            state = new double[heads.keySize()][v];
            for (int i = 0; i < state.length; i++) {
              for (int c = 0; c < v; c++) {
                // In panels of 64 columns.
                int first = c / 64 * 64;
                int at = first * state.length + i * Math.min(64, v - first) + c - first;
                state[i][c] =
                    start.reshape(heads.values(), start.size() / heads.values()).getFloat(h, at);
              }
            }
          }
          var out = new double[v];
          int key = heads.neighbours() ? h / 3 : h % 2;
          equation.row(t, h, key, state, out);
          System.arraycopy(out, 0, all, t * heads.valueWidth() + h * v, v);
        }
      }
      return all;
    }

    private double step(int t, int h) {
      return Math.log1p(Math.exp(raw.getFloat(t, h) + bias.getFloat(h)));
    }

    private double[] row(int t, int from, int n) {
      var row = new double[n];
      for (int i = 0; i < n; i++) {
        row[i] = x.getFloat(t, from + i);
      }
      return row;
    }

    private static void scale(double[] v, double length) {
      double squares = 1e-6;
      for (double e : v) {
        squares += e * e;
      }
      for (int i = 0; i < v.length; i++) {
        v[i] *= length / Math.sqrt(squares);
      }
    }
  }
}
