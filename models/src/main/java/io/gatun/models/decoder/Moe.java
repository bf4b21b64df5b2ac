package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// A mixture of experts, of which each token uses the few that its router chooses (Shazeer et al.
/// 2017).
public record Moe(Router router, List<? extends GatedLayer> experts) implements FeedForward {
  /// Experts compute together until they have so many rows: beyond, results would only take memory.
  private static final int ROWS = 256;

  /// Rows of the input that an expert reads.
  private record Use(int expert, int[] rows) {}

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
    var together = new ArrayList<Use>();
    int count = 0;
    for (int i = 0; i < e; i++) {
      int expert = i;
      int[] rows = IntStream.range(0, tokens).filter(t -> chosen[t][expert] != 0).toArray();
      if (rows.length > 0) {
        if (count + rows.length > ROWS) {
          add(ops, together, x, chosen, out);
          together.clear();
          count = 0;
        }
        together.add(new Use(i, rows));
        count += rows.length;
      }
    }
    add(ops, together, x, chosen, out);
    return out;
  }

  private void add(Ops ops, List<Use> uses, Tensor x, float[][] weights, Tensor out) {
    if (uses.isEmpty()) {
      return;
    }
    try (var _ = ops.scope()) {
      var all = ops.activations(x);
      var inputs = new ArrayList<Activations>();
      for (var use : uses) {
        boolean each = use.rows.length == all.rows();
        inputs.add(each ? all : ops.activations(ops.gatherRows(x, use.rows)));
      }
      var layers = uses.stream().map(use -> experts.get(use.expert)).toList();
      var results = GatedLayer.forward(ops, inputs, layers);
      for (int i = 0; i < results.length; i++) {
        var use = uses.get(i);
        for (int r = 0; r < use.rows.length; r++) {
          int t = use.rows[r];
          ops.addScaledRow(out, t, results[i].slice(0, r, r + 1), weights[t][use.expert]);
        }
      }
    }
  }
}
