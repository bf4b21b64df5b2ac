package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import java.util.List;
import java.util.stream.IntStream;

/// A mixture of experts, of which each token uses the few that its router chooses (Shazeer et al.
/// 2017).
public record Moe(Router router, List<FeedForward> experts) implements FeedForward {
  /// sum of p_e expert_e(x), p = router(x)
  @Override
  public Tensor forward(Ops ops, Activations input) {
    return forward(ops, input.tensor(), input.tensor());
  }

  /// As the other, with what the router judges by apart from what the experts read: both (T, D).
  Tensor forward(Ops ops, Tensor judged, Tensor x) {
    int tokens = Math.toIntExact(x.dim(0));
    var out = ops.empty(tokens, x.dim(1));
    out.segment().fill((byte) 0);
    var scores = router.scores(ops, judged).toFloats(); // (T, E)
    int e = experts.size();
    var chosen = new float[tokens][e];
    for (int t = 0; t < tokens; t++) {
      router.weigh(scores, t * e, chosen[t]);
    }
    for (int i = 0; i < e; i++) {
      int expert = i;
      int[] rows = IntStream.range(0, tokens).filter(t -> chosen[t][expert] != 0).toArray();
      if (rows.length == 0) {
        continue;
      }
      try (var _ = ops.scope()) {
        var y = experts.get(i).forward(ops, ops.activations(ops.gatherRows(x, rows)));
        for (int r = 0; r < rows.length; r++) {
          ops.addScaledRow(out, rows[r], y.slice(0, r, r + 1), chosen[rows[r]][i]);
        }
      }
    }
    return out;
  }
}
