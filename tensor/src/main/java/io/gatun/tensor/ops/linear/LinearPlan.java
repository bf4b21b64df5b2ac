package io.gatun.tensor.ops.linear;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Quantization;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.linear.UnpackedPlan.Product;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// How activations are multiplied with a weight: tasks that any worker may do, in any order. Which
/// plan it is depends on what the weight is, the number of activation rows, and what the machine
/// has. Each choice is logged once, with its reason.
sealed interface LinearPlan permits PackedPlan, RowPlan {
  /// From so many activation rows on, converting weights for a matrix product pays.
  int GEMM_ROWS = 8;

  /// The number of tasks.
  long tasks();

  /// The bytes of scratch memory that a worker needs.
  default long scratchBytes() {
    return 0;
  }

  /// Handles the tasks `from` .. `to`-1.
  void run(int worker, Scratch scratch, long from, long to);

  /// The plans for a layer, whose weights may be kept in another form.
  ///
  /// @param x (T, K) in the activations' type
  /// @param out (B, ..., N) in the activations' type, which may be the epilogue's residual
  static List<LinearPlan> choose(
      Context ctx, Input x, LinearWeight w, Epilogue epilogue, Tensor out) {
    var forms = new LinearForms(ctx, w);
    boolean dynamic = w.quantization() == Quantization.INT8_DYNAMIC;
    if (dynamic && ctx.hasInt8()) {
      log("8-bit", "oneDNN's int8 product", "the CPU has int8 products");
      return List.of(Int8Product.layer(ctx, x, forms, epilogue, out));
    }
    if (ctx.usesOneDnn() && !dynamic) {
      log("a layer's", "oneDNN's " + ctx.dtype().name() + " product", "the CPU has it");
      return List.of(FloatProduct.layer(ctx, x, forms, epilogue, out));
    }
    var input = dynamic ? x.roundedTo8Bits() : x;
    var rounded = w.quantization() == Quantization.NONE ? null : forms.int8();
    var scales = rounded == null ? null : rounded.scales();
    var rest = new F32Epilogue(ctx, scales, forms.bias(), epilogue, out);
    var plans = new ArrayList<LinearPlan>();
    int first = 0;
    for (var part : rounded == null ? w.weights() : List.of(rounded.values())) {
      plans.add(finished(ctx, input, part, rest, first));
      first += Math.toIntExact(part.dim(0));
    }
    return plans;
  }

  /// The plan for values times GELU of gates, which are the rows of one weight; or null if no plan
  /// has both at hand.
  static LinearPlan chooseGeglu(Context ctx, Input x, LinearWeight w, Tensor out) {
    var forms = new LinearForms(ctx, w);
    if (w.quantization() == Quantization.INT8_DYNAMIC) {
      return ctx.hasInt8() ? Int8Product.geglu(ctx, x, forms, out) : null;
    }
    return ctx.usesOneDnn() ? FloatProduct.geglu(x, forms, out) : null;
  }

  /// The plan for a weight as it lies, and what follows.
  ///
  /// @param first the column of the result at which the weight's begin
  static RowPlan finished(Context ctx, Input x, Tensor w, F32Epilogue rest, int first) {
    var sums = ctx.f32(x.rows(), w.dim(0));
    return new FinishedPlan(choose(ctx, x, w, sums), sums, rest, first);
  }

  /// The plan for a weight as it lies.
  ///
  /// @param w (N, K) of any type, without gaps
  /// @param out (T, N) F32
  static RowPlan choose(Context ctx, Input x, Tensor w, Tensor out) {
    var how = w.dequantization();
    if (how != null && how.lowRank() != null) {
      var plain = w.dequantized(how.withLowRank(null));
      return LowRankPlan.of(ctx, choose(ctx, x, plain, out), x, how.lowRank(), out);
    }
    if (how != null && (how.offsets() != null || how.order() != null)) {
      var input = how.order() == null ? x : x.ordered(how.order());
      var scaled = w.dequantized(how.withOffsets(null).withOrder(null));
      var plan = choose(ctx, input, scaled, out);
      var offsets = how.offsets();
      return offsets == null
          ? plan
          : new OffsetPlan(plan, input.groupSums(offsets.dim(0)), offsets, out);
    }
    boolean many = isMany(ctx, x);
    boolean vectors = ctx.backend() != Backend.SCALAR;
    if (panels(ctx, x, w)) {
      log(w, "int8 panels and oneDNN's int8 product", "many rows, and the CPU has int8 products");
      return new PanelPlan(ctx, x, out, w);
    }
    if (ctx.fast() && vectors && TiledPlan.supports(w)) {
      log(w, "the kernel of tiled weights", many ? "no int8 product of panels" : "few rows");
      return new TiledPlan(x, w, out);
    }
    if (many && ctx.fast() && ctx.hasBf16() && w.dtype() != DType.Plain.F32) {
      log(w, "oneDNN's bf16 product", "many rows, and the CPU has bf16 products");
      return new UnpackedPlan(x, w, out, Product.ONEDNN_BF16);
    }
    if (many && ctx.hasOneDnnF32()) {
      log(w, "oneDNN's f32 product", "many rows");
      return new UnpackedPlan(x, w, out, Product.ONEDNN_F32);
    }
    if (many && ctx.hasBlas()) {
      log(w, "OpenBLAS sgemm", "many rows, and no oneDNN");
      return new UnpackedPlan(x, w, out, Product.OPENBLAS);
    }
    String why = many ? "no native library" : "few rows";
    if (vectors && StoredPlan.supports(w)) {
      log(w, "dot products in place", why);
      return new StoredPlan(ctx, x, w, out);
    }
    if (vectors && ScaledPlan.supports(w)) {
      log(w, "dot products in place", why);
      return new ScaledPlan(x, w, out);
    }
    log(w, "dot products of unpacked rows", why);
    return new DotPlan(ctx, x, w, out);
  }

  /// The plan for two weights as `silu(gate) * up`.
  static RowPlan chooseGated(Context ctx, Input x, Tensor gate, Tensor up, Tensor out) {
    boolean plain = gate.dequantization() == null && up.dequantization() == null;
    if (plain && panels(ctx, x, gate) && gate.dtype().equals(up.dtype())) {
      return new PanelPlan(ctx, x, out, gate, up);
    }
    var upOut = ctx.f32(out.shape().dims());
    return new GatedPlan(
        ctx.kernels(), choose(ctx, x, gate, out), choose(ctx, x, up, upOut), out, upOut);
  }

  private static boolean isMany(Context ctx, Input x) {
    return x.rows() >= GEMM_ROWS && !ctx.rowsAlike();
  }

  private static boolean panels(Context ctx, Input x, Tensor w) {
    return ctx.fast() && isMany(ctx, x) && ctx.hasInt8() && Panels.supports(x, w, RowPlan.BLOCK);
  }

  private static void log(Tensor w, String how, String why) {
    log(w.dtype().name(), how, why);
  }

  private static void log(String what, String how, String why) {
    if (Log.LOG.isDebugEnabled() && Log.DONE.add(what + how)) {
      Log.LOG.debug("{} weights: {} ({})", what, how, why);
    }
  }

  /// What has been logged.
  final class Log {
    private static final Logger LOG = LoggerFactory.getLogger(LinearPlan.class);
    private static final Set<String> DONE = ConcurrentHashMap.newKeySet();

    private Log() {}
  }
}
