package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;

/// A dense layer and a mixture of experts side by side, each between norms of its own, and with one
/// more for the router (Gemma 4).
public record DenseAndExperts(
    Norm preDense,
    FeedForward dense,
    Norm postDense,
    Norm preRouter,
    Norm preExperts,
    Moe experts,
    Norm postExperts)
    implements FeedForward {
  /// postDense(dense(preDense(x))) + postExperts(experts(preExperts(x), router(preRouter(x))))
  @Override
  public Tensor forward(Ops ops, Activations activations) {
    var x = activations.tensor();
    var y = postDense.of(ops, dense.forward(ops, preDense.activations(ops, x)));
    var z = experts.forward(ops, preRouter.of(ops, x), preExperts.of(ops, x));
    ops.addInPlace(y, postExperts.of(ops, z));
    return y;
  }
}
