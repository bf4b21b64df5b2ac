package io.gatun.models.llama;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import java.util.ArrayList;
import java.util.List;

/// A mixture of experts, of which each token uses the few that its router ranks highest (Mixtral,
/// Jiang et al. 2024).
final class SparseMoe implements FeedForward {
  private final Tensor gate;
  private final List<Mlp> experts;
  private final int perToken;

  SparseMoe(LlamaWeights weights, int layer) {
    var config = weights.config();
    perToken = config.numExpertsPerTok();
    int count = config.numLocalExperts();
    gate =
        weights.matrix("model.layers.%d.block_sparse_moe.gate.weight", count, weights.d(), layer);
    experts = new ArrayList<>();
    for (int e = 0; e < count; e++) {
      experts.add(
          new Mlp(
              weights.expert("w1", weights.f(), weights.d(), layer, e),
              weights.expert("w3", weights.f(), weights.d(), layer, e),
              weights.expert("w2", weights.d(), weights.f(), layer, e)));
    }
  }

  /// p = softmax(top-k(x Wgate)); sum of p_e expert_e(x)
  @Override
  public Tensor forward(Ops ops, Activations input) {
    var x = input.tensor();
    int tokens = Math.toIntExact(x.dim(0));
    var out = ops.empty(tokens, x.dim(1));
    out.segment().fill((byte) 0);
    var router = ops.linear(x, gate).toFloats(); // (T, E)
    int e = experts.size();
    var chosen = new float[tokens][e];
    for (int t = 0; t < tokens; t++) {
      chooseExperts(router, t * e, chosen[t]);
    }
    for (int i = 0; i < e; i++) {
      int expert = i;
      int[] rows =
          java.util.stream.IntStream.range(0, tokens).filter(t -> chosen[t][expert] > 0).toArray();
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

  /// Writes the weights of a token's experts, which sum to one; 0 for those not used.
  private void chooseExperts(float[] router, int at, float[] weights) {
    double sum = 0;
    float best = Float.NEGATIVE_INFINITY;
    for (int n = 0; n < perToken; n++) {
      int top = -1;
      for (int i = 0; i < weights.length; i++) {
        if (weights[i] == 0 && (top < 0 || router[at + i] > router[at + top])) {
          top = i;
        }
      }
      best = Math.max(best, router[at + top]);
      // Kept above zero, which marks an expert as not chosen.
      weights[top] = Math.max(Float.MIN_NORMAL, (float) Math.exp(router[at + top] - best));
      sum += weights[top];
    }
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) (weights[i] / sum);
    }
  }

  @Override
  public long bytesPerToken() {
    return gate.byteSize() + perToken * experts.getFirst().bytesPerToken();
  }

  @Override
  public long weightsPerToken() {
    return gate.size() + perToken * experts.getFirst().weightsPerToken();
  }
}
