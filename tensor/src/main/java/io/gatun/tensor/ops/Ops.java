package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.VectorUnit;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.tiled.TiledLayout;
import io.gatun.tensor.ops.attention.Attention;
import io.gatun.tensor.ops.attention.KeyValues;
import io.gatun.tensor.ops.attention.KvRows;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.PackedMemory;
import io.gatun.tensor.ops.context.WeightRows;
import io.gatun.tensor.ops.linear.HeadProducts;
import io.gatun.tensor.ops.linear.Input;
import io.gatun.tensor.ops.linear.Linear;
import io.gatun.tensor.ops.rows.F32Rows;
import io.gatun.tensor.ops.rows.Softmax;
import io.gatun.tensor.runtime.Owner;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tensor.runtime.Workspace;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tensor.sequence.Span;
import java.lang.foreign.Arena;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/// What models call: each method checks shapes, takes its result from the step's workspace and
/// hands the rows to kernels on all workers.
///
/// Activations are F32 and contiguous; weights come in whatever type the checkpoint stores. One
/// thread at a time may use an instance: an operation, or a scope that is open, keeps others out,
/// whose operations throw an [IllegalStateException] at once; so do all after [#close]. Shape
/// legend: T tokens (rows), K input features, N output features, H heads, G key/value heads, C head
/// size.
public final class Ops implements AutoCloseable {
  private final Owner owner;
  private final Context ctx;
  private final Workers workers;
  private final Workspace workspace;
  private final boolean lent;

  /// Operations on `threads` threads, as exact as F32 allows.
  public Ops(Backend backend, int threads) {
    this(backend, threads, Precision.F32);
  }

  /// Operations on `threads` threads.
  ///
  /// @throws IllegalStateException if the JVM was started without the Vector API, which all but the
  ///   scalar backend needs
  public Ops(Backend backend, int threads, Precision precision) {
    if (backend != Backend.SCALAR && !VectorUnit.isAvailable()) {
      throw new IllegalStateException(
          "Java's Vector API is not there; start Java with --add-modules jdk.incubator.vector (in"
              + " Maven's surefire: <argLine>), or use the scalar backend");
    }
    Objects.requireNonNull(backend, "the backend is null");
    Objects.requireNonNull(precision, "the precision is null");
    owner = new Owner("model");
    workers = new Workers(threads, owner);
    workspace = new Workspace(owner);
    ctx = Context.of(backend, precision, workers, workspace);
    lent = false;
  }

  private Ops(Ops base, Context ctx) {
    this.ctx = ctx;
    owner = base.owner.sharing();
    workers = base.workers;
    workspace = base.workspace;
    lent = true;
  }

  /// The same threads and workspace for another model.
  ///
  /// One of all that share them computes at a time. Closing what this returns waits for the
  /// operation or turn that is running, of whichever model, and leaves the others as they are;
  /// closing this one closes all.
  ///
  /// @throws IllegalStateException if it is closed
  public Ops sharing() {
    owner.checkOpen();
    return new Ops(this, ctx.with(ctx.dtype(), new PackedMemory()));
  }

  /// As [#sharing], with products of activations and weights in which a row's result is the same
  /// bit for bit however many rows there are, at the price that many are multiplied as slowly as
  /// few.
  public Ops rowsAlike() {
    owner.checkOpen();
    return new Ops(this, ctx.alike(new PackedMemory()));
  }

  /// As [#sharing], with someone who sees each product of activations and weights in turn, and what
  /// [#addInPlace] adds.
  public Ops observed(ProductObserver observer) {
    owner.checkOpen();
    return new Ops(this, ctx.observed(observer, new PackedMemory()));
  }

  public Backend backend() {
    return ctx.backend();
  }

  /// Whose turn it is to use these operations: hold a turn around those that belong together, to
  /// wait for other threads instead of being refused.
  public Owner owner() {
    return owner;
  }

  public Workers workers() {
    return workers;
  }

  public Workspace workspace() {
    return workspace;
  }

  /// How often a weight has been packed for the products of this machine, or rounded, also by each
  /// [Functional] of these operations: where there is room to keep the result, a network does so
  /// when it runs for the first time, and no more.
  public long weightsPacked() {
    return ctx.packed().counted();
  }

  Context context() {
    return ctx;
  }

  /// Gives back, when closed, what was taken from the workspace since.
  public Workspace.Scope scope() {
    owner.checkOpen();
    return workspace.scope();
  }

  /// An F32 tensor from the workspace with undefined values.
  public Tensor empty(long... dims) {
    owner.checkOpen();
    return workspace.take(DType.Plain.F32, dims);
  }

  /// The rows `ids` of a table (V, D) of any type, as F32 (T, D).
  ///
  /// @throws IndexOutOfBoundsException if an id is not a row of the table
  public Tensor embedding(int[] ids, Tensor table) {
    try (var _ = owner.operation()) {
      return WeightRows.gather(ctx, ids, table);
    }
  }

  /// Copies of the rows `rows` of x (T, D).
  ///
  /// @throws IndexOutOfBoundsException if x has no such row
  public Tensor gatherRows(Tensor x, int[] rows) {
    try (var _ = owner.operation()) {
      return F32Rows.gather(ctx, x, rows);
    }
  }

  /// Whether weights of this type can be computed with.
  public static boolean supports(DType dtype) {
    return Dequantize.supports(dtype);
  }

  /// A copy of a tensor of any type and layout as F32 without gaps, in memory of `arena`.
  public static Tensor toF32(Tensor t, Arena arena) {
    var out = Tensor.allocate(arena, DType.Plain.F32, t.shape().dims());
    if (t.dequantization() != null) {
      WeightRows.toFloat(Backend.SCALAR, t, 0, Math.toIntExact(t.dim(0)), out.segment(), 0);
    } else if (t.dtype() instanceof DType.Tiled tiled) {
      TiledLayout.toFloat(tiled, t.segment(), t.dim(1), 0, t.dim(0), out.segment(), 0);
    } else {
      var dense = t.isContiguous() ? t : t.copy(Arena.ofAuto());
      Dequantize.toFloat(t.dtype(), dense.segment(), 0, out.segment(), 0, t.size());
    }
    return out;
  }

  /// `x w^T`: x (T, K), w (N, K) of any type, result (T, N). A weight with gaps, such as a
  /// transposed one, is copied in each call.
  public Tensor linear(Tensor x, Tensor w) {
    return linears(x, w)[0];
  }

  /// `x w^T + bias`: bias (N) F32, or null for none.
  public Tensor linear(Tensor x, Tensor w, Tensor bias) {
    var y = linear(x, w);
    if (bias != null) {
      addBias(y, bias);
    }
    return y;
  }

  /// Several products of the same x in one go: the activations are prepared once and the workers
  /// meet once.
  public Tensor[] linears(Tensor x, Tensor... weights) {
    return linears(activations(x), weights);
  }

  /// As [#linears(Tensor, Tensor...)], of an input that is prepared for all products that read it.
  public Tensor[] linears(Activations x, Tensor... weights) {
    try (var _ = owner.operation()) {
      return Linear.apply(ctx, Collections.nCopies(weights.length, x.input()), List.of(weights));
    }
  }

  /// Products of an input each in one go, such as those of a mixture's experts: the workers meet
  /// once. Each result is that of an x (T, K) and the weight (N, K) at the same place.
  public Tensor[] linears(List<Activations> x, List<Tensor> weights) {
    try (var _ = owner.operation()) {
      return Linear.apply(ctx, inputs(x), weights);
    }
  }

  /// `silu(x gate^T) * (x up^T)`, the gated unit of SwiGLU (Shazeer 2020), of an input each in one
  /// go: x (T, K), gate and up (N, K) of any type, result (T, N).
  public Tensor[] gatedLinears(List<Activations> x, List<Tensor> gates, List<Tensor> ups) {
    try (var _ = owner.operation()) {
      return Linear.gated(ctx, inputs(x), gates, ups);
    }
  }

  private static List<Input> inputs(List<Activations> x) {
    return x.stream().map(Activations::input).toList();
  }

  /// x (..., K) as the input of products.
  public Activations activations(Tensor x) {
    try (var _ = owner.operation()) {
      Check.f32("x", x);
      return new Activations(Input.of(ctx, x));
    }
  }

  /// As [#rmsNorm], for products: rows are rounded to what their kernels read as soon as they are
  /// normalized.
  public Activations normed(Tensor x, Tensor weight, float eps) {
    try (var _ = owner.operation()) {
      Check.eps(eps);
      return new Activations(Input.normed(ctx, x, weight, eps));
    }
  }

  /// Adds bias (N) to each row of y (T, N).
  public void addBias(Tensor y, Tensor bias) {
    try (var _ = owner.operation()) {
      F32Rows.addBias(ctx, y, bias);
    }
  }

  /// RMSNorm over the innermost dimension: `x / sqrt(mean(x^2) + eps) * weight` (Zhang and Sennrich
  /// 2019). x (..., D), weight (D) F32, or (G, D) for rows that take turns.
  public Tensor rmsNorm(Tensor x, Tensor weight, float eps) {
    try (var _ = owner.operation()) {
      return F32Rows.rmsNorm(ctx, x, weight, eps);
    }
  }

  /// `x += y`, of equal shapes.
  public void addInPlace(Tensor x, Tensor y) {
    if (ctx.products() != null) {
      ctx.products().sum(x, y);
    }
    inPlace(x, y, ctx.kernels()::add);
  }

  /// `gate = silu(gate) * up`, of equal shapes.
  public void siluMulInPlace(Tensor gate, Tensor up) {
    inPlace(gate, up, ctx.kernels()::siluMul);
  }

  /// `gate = sigmoid(gate) * x`, of equal shapes.
  public void sigmoidMulInPlace(Tensor gate, Tensor x) {
    inPlace(gate, x, ctx.kernels()::sigmoidMul);
  }

  /// `x *= y`, of equal shapes.
  public void mulInPlace(Tensor x, Tensor y) {
    inPlace(x, y, ctx.kernels()::mul);
  }

  private void inPlace(Tensor x, Tensor y, F32Rows.PairKernel kernel) {
    try (var _ = owner.operation()) {
      F32Rows.inPlace(ctx, x, y, kernel);
    }
  }

  /// `x = cap * tanh(x / cap)`, in place.
  public void softcap(Tensor x, float cap) {
    try (var _ = owner.operation()) {
      F32Rows.softcap(ctx, x, cap);
    }
  }

  /// `x[row] += y * factor` for one row of x (T, D) and y (1, D).
  public void addScaledRow(Tensor x, long row, Tensor y, float factor) {
    try (var _ = owner.operation()) {
      F32Rows.addScaled(ctx, x, row, y, factor);
    }
  }

  /// Rotates the heads of x (T, H, C) in place (RoPE, Su et al. 2021); cos and sin (T, R) as
  /// [Kernels#rope] wants them, of which each head's first R numbers turn, and the others do not.
  public void rope(Tensor x, Tensor cos, Tensor sin, boolean interleaved) {
    try (var _ = owner.operation()) {
      F32Rows.rope(ctx, x, cos, sin, interleaved);
    }
  }

  /// Each head's product with a matrix of its own: `out[t][h] = w[h] x[t][h]`, or, `transposed`,
  /// `x[t][h] w[h]`.
  ///
  /// @param x (T, H, K) F32, in which heads may be apart
  /// @param w (H, N, K) of any type, or, `transposed`, (H, K, N)
  /// @param out (T, H, N) F32, in which heads may be apart, too
  public void headProducts(Tensor x, Tensor w, boolean transposed, Tensor out) {
    try (var _ = owner.operation()) {
      HeadProducts.apply(ctx, x, w, transposed, out);
    }
  }

  /// Softmax over the innermost dimension, in place.
  public void softmax(Tensor x) {
    try (var _ = owner.operation()) {
      Softmax.apply(ctx, x);
    }
  }

  /// `ln softmax(x)[t][columns[t]]` for each row t of x (T, N), which is overwritten.
  ///
  /// @throws IndexOutOfBoundsException if a column is not one of x
  public float[] logSoftmax(Tensor x, int[] columns) {
    try (var _ = owner.operation()) {
      return Softmax.log(ctx, x, columns);
    }
  }

  /// Stores k (T, G, K) and v (T, G, V) as the positions of their spans, in the pages that a part
  /// of the model has in each sequence.
  ///
  /// @throws IndexOutOfBoundsException if no room was [reserved][Sequence#reserve]
  /// @throws IllegalStateException if a sequence is closed, or another thread is using it
  public void put(List<Span> spans, int part, Tensor k, Tensor v) {
    try (var _ = owner.operation();
        var _ = Span.claim(spans)) {
      KeyValues.put(ctx, KvRows.of(spans, part, k), k, v);
    }
  }

  /// Attention of q (T, H, K) over what the spans' sequences hold for a part of the model, as far
  /// as `spec` lets each row see: `softmax(q k^T * scale) v`, result (T, H, V).
  ///
  /// @throws IndexOutOfBoundsException if no room was [reserved][Sequence#reserve]
  /// @throws IllegalStateException if a sequence is closed, or another thread is using it
  public Tensor attention(Tensor q, List<Span> spans, int part, AttentionSpec spec) {
    try (var _ = owner.operation();
        var _ = Span.claim(spans)) {
      return Attention.apply(ctx, q, KvRows.of(spans, part, q), spec);
    }
  }

  /// The column of the greatest element of a row of x (T, N); the first of equals.
  public int argmax(Tensor x, long row) {
    try (var _ = owner.operation()) {
      return Softmax.argmax(ctx, x, row);
    }
  }

  /// Ends the workers and frees the workspace; tensors taken from it are gone.
  ///
  /// Waits for an operation or a scope of another thread; operations that would begin from then on
  /// throw. A second call does nothing.
  ///
  /// @throws IllegalStateException if a task of the workers calls it
  @Override
  public void close() {
    workers.checkOutside();
    owner.close(
        () -> {
          if (!lent) {
            workers.end();
            workspace.free();
          }
          ctx.packed().releaseAll();
        });
  }
}
