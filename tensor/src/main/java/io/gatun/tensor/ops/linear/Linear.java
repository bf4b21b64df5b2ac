package io.gatun.tensor.ops.linear;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.rows.Elementwise;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;

/// Checks products of activations with weights, and has them done: the tasks of all plans are one
/// range, shared out to the workers.
public final class Linear {
  private Linear() {}

  /// The i-th input times the i-th weight, F32.
  public static Tensor[] apply(Context ctx, List<Input> x, List<Tensor> weights) {
    check(x, weights);
    tell(ctx, x, weights);
    var outs = outs(ctx, x, weights);
    var plans = new LinearPlan[outs.length];
    for (int i = 0; i < outs.length; i++) {
      plans[i] = LinearPlan.choose(ctx, x.get(i), ctx.dense(weights.get(i)), outs[i]);
    }
    run(ctx, plans);
    return outs;
  }

  /// `silu(x gate^T) * (x up^T)` of the i-th of each, F32.
  public static Tensor[] gated(Context ctx, List<Input> x, List<Tensor> gates, List<Tensor> ups) {
    check(x, gates);
    check(x, ups);
    tell(ctx, x, gates, ups);
    var outs = outs(ctx, x, gates);
    var plans = new LinearPlan[outs.length];
    for (int i = 0; i < outs.length; i++) {
      var gate = ctx.dense(gates.get(i));
      var up = ctx.dense(ups.get(i));
      Check.same("rows of up", up.dim(0), "rows of gate", gate.dim(0));
      plans[i] = LinearPlan.chooseGated(ctx, x.get(i), gate, up, outs[i]);
    }
    run(ctx, plans);
    return outs;
  }

  private static void check(List<Input> x, List<Tensor> weights) {
    Check.same("weights", weights.size(), "inputs", x.size());
    for (int i = 0; i < weights.size(); i++) {
      var w = weights.get(i);
      Check.rank("weight", w, 2);
      Check.same("columns of the weight", w.dim(1), "columns of x", x.get(i).columns());
    }
  }

  /// Shows each input to who observes products, with all weights that it is multiplied with.
  @SafeVarargs
  private static void tell(Context ctx, List<Input> x, List<Tensor>... weights) {
    if (ctx.products() == null) {
      return;
    }
    var byInput = new IdentityHashMap<Input, List<Tensor>>();
    for (var each : weights) {
      for (int i = 0; i < each.size(); i++) {
        byInput.computeIfAbsent(x.get(i), _ -> new ArrayList<>()).add(each.get(i));
      }
    }
    new LinkedHashSet<>(x)
        .forEach(input -> ctx.products().products(input.tensor(), byInput.get(input)));
  }

  private static Tensor[] outs(Context ctx, List<Input> x, List<Tensor> weights) {
    var outs = new Tensor[weights.size()];
    for (int i = 0; i < outs.length; i++) {
      outs[i] = ctx.f32(x.get(i).rows(), weights.get(i).dim(0));
    }
    return outs;
  }

  /// A layer's result (..., N).
  public static Tensor layer(Context ctx, Tensor x, LinearWeight w, Epilogue epilogue) {
    return into(ctx, x, w, epilogue, ctx.empty(dims(ctx, x, w, w.outFeatures())));
  }

  /// Adds a layer's result to y, and returns it.
  public static Tensor add(Context ctx, Tensor y, Tensor x, LinearWeight w) {
    Check.result("y", y, ctx.dtype(), dims(ctx, x, w, w.outFeatures()));
    return into(ctx, x, w, Epilogue.add(y), y);
  }

  /// Fills `out` (..., N), which may be the epilogue's residual, and returns it.
  public static Tensor into(Context ctx, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    F32Epilogue.check(ctx, epilogue, out);
    if (out.size() == 0) {
      return out;
    }
    try (var _ = ctx.scope()) {
      var plans = LinearPlan.choose(ctx, Input.of(ctx, x), w, epilogue, out);
      run(ctx, plans.toArray(LinearPlan[]::new));
    }
    return out;
  }

  /// Values times GELU of gates, which are the columns of a layer's result: (..., N / 2).
  public static Tensor geglu(Context ctx, Tensor x, LinearWeight w) {
    long half = w.outFeatures() / 2;
    Check.same("rows of the weight", w.outFeatures(), "of values and as many gates", 2 * half);
    var out = ctx.empty(dims(ctx, x, w, half));
    if (out.size() == 0) {
      return out;
    }
    try (var _ = ctx.scope()) {
      var plan = LinearPlan.chooseGeglu(ctx, Input.of(ctx, x), w, out);
      if (plan != null) {
        run(ctx, plan);
      } else {
        Elementwise.geglu(ctx, layer(ctx, x, w, Epilogue.NONE), out);
      }
    }
    return out;
  }

  private static long[] dims(Context ctx, Tensor x, LinearWeight w, long columns) {
    Check.dtype("x", x, ctx.dtype());
    Check.same("columns of x", x.dim(-1), "columns of the weight", w.inFeatures());
    var dims = x.shape().dims();
    dims[dims.length - 1] = columns;
    return dims;
  }

  static void run(Context ctx, LinearPlan... plans) {
    long tasks = 0;
    long bytes = 0;
    for (var plan : plans) {
      tasks += plan.tasks();
      bytes = Math.max(bytes, plan.scratchBytes());
    }
    long stride = bytes + 63 & -64;
    try (var _ = ctx.scope()) {
      var memory = ctx.perWorker(stride);
      ctx.forEach(
          tasks,
          1,
          (worker, from, to) -> {
            var scratch = new Scratch(memory, worker * stride);
            long first = 0;
            for (var plan : plans) {
              long lo = Math.max(from - first, 0);
              long hi = Math.min(to - first, plan.tasks());
              if (lo < hi) {
                plan.run(worker, scratch, lo, hi);
              }
              first += plan.tasks();
            }
          });
    }
  }
}
