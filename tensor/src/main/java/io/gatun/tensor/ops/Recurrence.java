package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.CausalConvolution;
import io.gatun.tensor.kernel.dense.StateScan;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.rows.Elementwise;
import io.gatun.tensor.runtime.Owner;
import io.gatun.tensor.sequence.Span;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Operations of a layer that keeps, instead of all positions, a state of fixed size: its first
/// tensor is what [#convolution] keeps, its second what a scan does, in the panels of [StateScan].
///
/// Each row's result depends on those before it alone, bit for bit, however they are cut into
/// steps. Shape legend: T rows of all sequences, N channels, W taps, H heads, K and V the sizes of
/// a key and a value.
public final class Recurrence {
  /// Channels that a worker takes at a time: a multiple of any vector.
  private static final int CHANNELS = 256;

  private final Owner owner;
  private final Context ctx;
  private final List<Span> spans;
  private final int part;
  private final boolean vectors;

  /// The heads of a scan.
  ///
  /// @param keys heads that keys and queries have
  /// @param values heads that values have, a multiple of that
  /// @param neighbours whether values that share a key are neighbours; if not, value head i has key
  ///   head `i % keys`
  public record Heads(int keys, int keySize, int values, int valueSize, boolean neighbours) {
    /// Numbers of all keys.
    public int keyWidth() {
      return keys * keySize;
    }

    /// Numbers of all values.
    public int valueWidth() {
      return values * valueSize;
    }

    int keyOf(int value) {
      return neighbours ? value / (values / keys) : value % keys;
    }
  }

  /// How fast each head forgets.
  ///
  /// @param a (H) negative: in a step of length d a state shrinks by `exp(a d)`
  /// @param bias (H) of a step's length before its softplus
  /// @param raw (T, H) that length without the bias
  public record Decay(Tensor a, Tensor bias, Tensor raw) {
    private double step(long row, int head, int heads) {
      double x = Floats.get(raw.segment(), 0, row * heads + head);
      double y = x + Floats.get(bias.segment(), 0, head);
      return y > 20 ? y : Math.log1p(Math.exp(y));
    }
  }

  /// Of the rows of some sequences.
  ///
  /// @param part whose state it is, in the sequences' layout
  public Recurrence(Ops ops, List<Span> spans, int part) {
    owner = ops.owner();
    ctx = ops.context();
    this.spans = List.copyOf(spans);
    this.part = part;
    vectors = ctx.backend() != Backend.SCALAR;
  }

  /// Convolves each channel with the rows before it: `sum of weight[j] x[t - (W - 1) + j] + bias`,
  /// then an activation. The state (W - 1, N) is the last rows of x.
  ///
  /// @param x (T, N)
  /// @param weight (W, N)
  /// @param bias (N), or null for none
  /// @return (T, N)
  public Tensor convolution(Tensor x, Tensor weight, Tensor bias, Activation activation) {
    try (var _ = owner.operation();
        var _ = Span.claim(spans)) {
      Check.f32("weight", weight);
      int n = Check.columns("x", x);
      checkRows(x);
      int taps = Math.toIntExact(weight.dim(0));
      Check.same("channels of the weight", weight.dim(1), "channels", n);
      var out = ctx.f32(x.shape().dims());
      var kernels = ctx.networkKernels();
      long blocks = Math.ceilDiv(n, CHANNELS);
      try (var _ = ctx.scope()) {
        int window = 2 * (taps - 1) * CHANNELS;
        var scratch = ctx.perWorker(4L * window);
        ctx.forEach(
            spans.size() * blocks,
            Math.max(1, Context.grain(x.dim(0) * CHANNELS / spans.size())),
            (worker, first, end) -> {
              for (long i = first; i < end; i++) {
                var span = spans.get((int) (i / blocks));
                int c = (int) (i % blocks) * CHANNELS;
                int width = Math.min(CHANNELS, n - c);
                var convolved = new Channels(vectors, x, weight, bias, out, taps, c, width);
                convolved.run(span, state(span, 0), scratch, 4L * window * worker);
                for (int t = span.from(); t < span.to(); t++) {
                  long at = 4L * ((long) t * n + c);
                  Elementwise.apply(
                      kernels, activation, out.segment(), at, width, out.segment(), at);
                }
              }
            });
      }
      return out;
    }
  }

  /// Some channels of a convolution.
  private record Channels(
      boolean vectors,
      Tensor x,
      Tensor weight,
      Tensor bias,
      Tensor out,
      int taps,
      int first,
      int width) {
    /// The first rows read the state too, from a copy where it lies before them.
    void run(Span span, MemorySegment state, MemorySegment scratch, long scratchAt) {
      int n = Math.toIntExact(x.dim(-1));
      int kept = taps - 1;
      int count = span.rows();
      int early = Math.min(count, kept);
      for (int t = 0; t < kept + early; t++) {
        boolean old = t < kept;
        long from = old ? 4L * ((long) t * n + first) : at(span.from() + t - kept);
        long to = scratchAt + 4L * t * width;
        MemorySegment.copy(old ? state : x.segment(), from, scratch, to, 4L * width);
      }
      convolve(scratch, scratchAt, width, span.from(), early);
      if (count > kept) {
        convolve(x.segment(), at(span.from()), n, span.from() + kept, count - kept);
      }
      // What the next rows read: the last of the state and these.
      for (int t = 0; t < kept; t++) {
        boolean old = count + t < kept;
        long from = old ? scratchAt + 4L * (count + t) * width : at(span.to() - kept + t);
        long to = 4L * ((long) t * n + first);
        MemorySegment.copy(old ? scratch : x.segment(), from, state, to, 4L * width);
      }
    }

    private long at(int row) {
      return 4L * (row * x.dim(-1) + first);
    }

    private void convolve(MemorySegment from, long fromAt, int stride, int row, int rows) {
      int n = Math.toIntExact(x.dim(-1));
      CausalConvolution.rows(
          vectors,
          from,
          fromAt,
          stride,
          weight.segment(),
          4L * first,
          n,
          taps,
          bias == null ? null : bias.segment(),
          4L * first,
          width,
          out.segment(),
          at(row),
          n,
          rows);
    }
  }

  /// The gated delta rule (Yang et al. 2024). The state is a matrix S (H, K, V).
  ///
  ///     g = exp(a softplus(raw + bias));  b = sigmoid(beta);  q = q / |q| / sqrt(K);  k = k / |k|
  ///     S = g S;  S = S + k (b (v - S^T k))^T;  y = S^T q
  ///
  /// @param qkv (T, N) all queries, then all keys, then all values; overwritten
  /// @param beta (T, H)
  /// @return (T, H V)
  public Tensor deltaRule(Tensor qkv, Decay decay, Tensor beta, Heads heads) {
    try (var _ = owner.operation();
        var _ = Span.claim(spans)) {
      int keys = heads.keyWidth();
      check(qkv, decay, heads, 2 * keys + heads.valueWidth());
      Check.f32("beta", beta);
      normalize(qkv, heads);
      var b = beta.segment();
      return scan(
          qkv,
          heads,
          new StateScan(0, keys, 2 * keys, stride(qkv), heads.keySize, heads.valueSize, true),
          (t, h, gates, at) -> {
            Floats.set(
                gates, at, 0, (float) Math.exp(decay.step(t, h, heads.values) * a(decay, h)));
            Floats.set(
                gates,
                at,
                1,
                (float) (1 / (1 + Math.exp(-Floats.get(b, 0, t * heads.values + h)))));
          });
    }
  }

  /// Mamba 2's scan (Dao and Gu 2024). The state is a matrix S (H, K, V).
  ///
  ///     d = softplus(raw + bias);  S = exp(a d) S + B (d x)^T;  y = S^T C + D x
  ///
  /// @param xbc (T, N) all values x, then all keys B, then all queries C
  /// @param skip (H) D
  /// @param least of d
  /// @return (T, H V)
  public Tensor stateSpace(Tensor xbc, Decay decay, Tensor skip, float least, Heads heads) {
    try (var _ = owner.operation();
        var _ = Span.claim(spans)) {
      int values = heads.valueWidth();
      int keys = heads.keyWidth();
      check(xbc, decay, heads, values + 2 * keys);
      var y =
          scan(
              xbc,
              heads,
              new StateScan(
                  values + keys, values, 0, stride(xbc), heads.keySize, heads.valueSize, false),
              (t, h, gates, at) -> {
                double d = Math.max(least, decay.step(t, h, heads.values));
                Floats.set(gates, at, 0, (float) Math.exp(d * a(decay, h)));
                Floats.set(gates, at, 1, (float) d);
              });
      var kernels = ctx.kernels();
      int v = heads.valueSize;
      ctx.each(
          y.size() / v,
          Context.grain(v),
          (worker, i) -> {
            long row = i / heads.values;
            int h = (int) (i % heads.values);
            float d = Floats.get(skip.segment(), 0, h);
            long at = 4 * (row * stride(xbc) + (long) h * v);
            kernels.addScaled(xbc.segment(), at, d, v, y.segment(), 4 * i * v);
          });
      return y;
    }
  }

  private static double a(Decay decay, int head) {
    return Floats.get(decay.a.segment(), 0, head);
  }

  private static int stride(Tensor x) {
    return Math.toIntExact(x.dim(-1));
  }

  private MemorySegment state(Span span, int index) {
    return span.sequence().recurrent(part).get(index).segment();
  }

  private void checkRows(Tensor x) {
    Check.f32("x", x);
    for (var span : spans) {
      Check.index("last row of a span", span.to() - 1L, x.dim(0));
    }
  }

  private void check(Tensor x, Decay decay, Heads heads, long columns) {
    checkRows(x);
    Check.writable("x", x);
    Check.same("columns", x.dim(-1), "of all heads", columns);
    Check.f32("decay", decay.raw);
    Check.same("step lengths", decay.raw.size(), "rows times heads", x.dim(0) * heads.values);
  }

  /// Queries and keys to length 1, and queries over the root of their size.
  private void normalize(Tensor qkv, Heads heads) {
    int k = heads.keySize;
    try (var _ = ctx.scope()) {
      var query = ctx.f32(k);
      var key = ctx.f32(k);
      for (int i = 0; i < k; i++) {
        Floats.set(query.segment(), 0, i, 1f / k);
        Floats.set(key.segment(), 0, i, (float) (1 / Math.sqrt(k)));
      }
      var kernels = ctx.kernels();
      var x = qkv.segment();
      long each = 2L * heads.keys;
      ctx.each(
          qkv.dim(0) * each,
          Context.grain(k),
          (worker, i) -> {
            long at = 4 * (i / each * stride(qkv) + i % each * k);
            var weight = i % each < heads.keys ? query : key;
            kernels.rmsNorm(x, at, weight.segment(), 0, 1e-6f / k, k, x, at);
          });
    }
  }

  private interface Gates {
    void write(long row, int head, MemorySegment gates, long at);
  }

  private Tensor scan(Tensor x, Heads heads, StateScan shape, Gates gates) {
    int h = heads.values;
    int v = heads.valueSize;
    var out = ctx.f32(x.dim(0), heads.valueWidth());
    int most = spans.stream().mapToInt(Span::rows).max().orElse(0);
    try (var _ = ctx.scope()) {
      var scratch = ctx.perWorker(8L * most);
      ctx.each(
          (long) spans.size() * h,
          1,
          (worker, i) -> {
            var span = spans.get((int) (i / h));
            int head = (int) (i % h);
            int count = span.rows();
            long at = 8L * most * worker;
            for (int t = 0; t < count; t++) {
              gates.write(span.from() + t, head, scratch, at + 8L * t);
            }
            shape
                .head(heads.keyOf(head), head)
                .run(
                    vectors,
                    x.segment(),
                    4L * span.from() * stride(x),
                    scratch,
                    at,
                    state(span, 1),
                    4L * head * heads.keySize * v,
                    out.segment(),
                    4L * ((long) span.from() * h + head) * v,
                    h * v,
                    count);
          });
    }
    return out;
  }
}
