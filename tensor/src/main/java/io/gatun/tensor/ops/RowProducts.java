package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Context;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Decides how weights are multiplied: by their type, the number of activation rows, the backend
/// and what the machine has. Each decision is logged once, with its reason.
final class RowProducts {
  /// From so many activation rows on, converting weights for a matrix product pays.
  private static final int GEMM_ROWS = 8;

  private static final Logger LOG = LoggerFactory.getLogger(RowProducts.class);
  private static final Set<String> LOGGED = ConcurrentHashMap.newKeySet();

  private RowProducts() {}

  static RowProduct choose(Context ctx, Activations x, Tensor w, Tensor out) {
    boolean many = isMany(ctx, x);
    boolean tiled =
        ctx.fast() && ctx.backend() != Backend.SCALAR && w.dtype() instanceof DType.Tiled;
    if (ctx.backend() == Backend.NATIVE && many) {
      if (panels(ctx, x, w)) {
        log(w, "int8 panels and oneDNN's int8 product", "many rows, and the CPU has int8 products");
        return new PanelProduct(x, w, out);
      }
      if (tiled) {
        log(w, "the kernel of tiled weights", "oneDNN has no fast int8 product of such panels");
        return new QuantizedProduct(x, w, out);
      }
      if (ctx.fast() && w.dtype() != DType.Plain.F32 && OneDnn.supports(ElementType.BF16)) {
        log(w, "oneDNN's bf16 product", "many rows, and the CPU has bf16 products");
        return new Bf16Product(x, w, out);
      }
      if (OpenBlas.isAvailable()) {
        log(w, "OpenBLAS sgemm", "many rows");
        return new SgemmProduct(x, w, out);
      }
    }
    String why = many ? "no native library" : "few rows";
    if (tiled) {
      log(w, "the kernel of tiled weights", why);
      return new QuantizedProduct(x, w, out);
    }
    if (ctx.backend() != Backend.SCALAR && Mxfp4Product.supports(w)) {
      log(w, "dot products of MXFP4 in place", why);
      return new Mxfp4Product(ctx, x, w, out);
    }
    if (ctx.backend() != Backend.SCALAR && RowDotProduct.supports(w)) {
      log(w, "dot products in place", why);
      return new RowDotProduct(x, w, out);
    }
    log(w, "dot products of unpacked rows", why);
    return new DotProduct(ctx, x, w, out);
  }

  /// The products with two weights as `silu(gate) * up`.
  static RowProduct chooseGated(Context ctx, Activations x, Tensor gate, Tensor up, Tensor out) {
    if (panels(ctx, x, gate) && gate.dtype().equals(up.dtype())) {
      return new GatedPanelProduct(ctx.kernels(), x, gate, up, out);
    }
    var upOut = ctx.f32(out.shape().dims());
    var gateProduct = choose(ctx, x, gate, out);
    return new GatedProduct(ctx.kernels(), gateProduct, choose(ctx, x, up, upOut), out, upOut);
  }

  private static boolean isMany(Context ctx, Activations x) {
    return x.rows() >= GEMM_ROWS && !ctx.rowsAlike();
  }

  private static boolean panels(Context ctx, Activations x, Tensor w) {
    return ctx.fast()
        && ctx.backend() == Backend.NATIVE
        && isMany(ctx, x)
        && PanelProduct.supports(x, w);
  }

  private static void log(Tensor w, String how, String why) {
    if (LOG.isDebugEnabled() && LOGGED.add(w.dtype().name() + how)) {
      LOG.debug("{} weights: {} ({})", w.dtype().name(), how, why);
    }
  }
}
