package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.ValueLayout;

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
  /// That of a layer whose weights are `w`.
  ///
  /// @param f width of an expert
  public static DenseAndExperts of(
      DecoderWeights w, Config c, Norm preDense, FeedForward dense, int perToken, int f) {
    int d = c.hiddenSize();
    float eps = c.normEps();
    int count = c.numLocalExperts();
    var gate = new Linear(w.matrix("router.proj", count, d), null);
    var scale = w.vector("router.scale", d);
    for (long i = 0; i < d; i++) {
      float value = (float) (scale.getFloat(i) / Math.sqrt(d));
      scale.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
    }
    var scales = w.vector("router.per_expert_scale", count).toFloats();
    var experts =
        w.experts(count, perToken)
            .fused("experts.gate_up_proj", "experts.down_proj", f, d, Activation.GELU_TANH);
    return new DenseAndExperts(
        preDense,
        dense,
        w.rmsNorm("post_feedforward_layernorm_1", d, eps),
        new Norm.Rms(scale, eps),
        w.rmsNorm("pre_feedforward_layernorm_2", d, eps),
        new Moe(Router.softmax(gate, perToken, true).scaled(scales), experts),
        w.rmsNorm("post_feedforward_layernorm_2", d, eps));
  }

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
