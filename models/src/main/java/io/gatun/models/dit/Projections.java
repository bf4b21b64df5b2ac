package io.gatun.models.dit;

import io.gatun.models.nn.RmsNorm;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// What makes queries, keys and values of one kind of tokens.
///
/// @param normQ of each head; null for none
record Projections(
    LinearWeight q, LinearWeight k, LinearWeight v, RmsNorm normQ, RmsNorm normK, int headSize) {
  private static final float EPS = 1e-6f;

  /// An image's with norms: `to_q`, `norm_q`.
  static Projections ofImage(Weights w, int d, int headSize, boolean bias, float eps) {
    return of(w, List.of("to_q", "to_k", "to_v"), "norm_q", "norm_k", d, headSize, bias, eps);
  }

  /// An image's: `to_q`, `norm_q`.
  static Projections ofImage(Weights w, int d, int headSize, boolean bias, boolean norms) {
    return of(
        w, List.of("to_q", "to_k", "to_v"), "norm_q", "norm_k", d, headSize, bias, norms ? EPS : 0);
  }

  /// A text's beside an image's: `add_q_proj`, `norm_added_q`.
  static Projections ofText(Weights w, int d, int headSize, boolean bias, boolean norms) {
    var names = List.of("add_q_proj", "add_k_proj", "add_v_proj");
    return of(w, names, "norm_added_q", "norm_added_k", d, headSize, bias, norms ? EPS : 0);
  }

  private static Projections of(
      Weights w,
      List<String> names,
      String normQ,
      String normK,
      int d,
      int headSize,
      boolean bias,
      float eps) {
    return new Projections(
        w.linears(names.subList(0, 1), d, d, bias),
        w.linears(names.subList(1, 2), d, d, bias),
        w.linears(names.subList(2, 3), d, d, bias),
        eps > 0 ? w.rmsNorm(normQ, headSize, eps) : null,
        eps > 0 ? w.rmsNorm(normK, headSize, eps) : null,
        headSize);
  }

  /// Queries of x (T, D), normalized.
  Tensor queries(Functional f, Tensor x) {
    return normalized(f, f.linear(x, q), normQ);
  }

  /// Keys of x (T, D), normalized.
  Tensor keys(Functional f, Tensor x) {
    return normalized(f, f.linear(x, k), normK);
  }

  /// Values of x (T, D).
  Tensor values(Functional f, Tensor x) {
    return f.linear(x, v);
  }

  private Tensor normalized(Functional f, Tensor x, RmsNorm norm) {
    return norm == null
        ? x
        : norm.forward(f, x.reshape(x.size() / headSize, headSize)).reshape(x.shape().dims());
  }
}
