package io.gatun.models.dit;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.TimestepEmbedding;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// The sum of what a network is told of the time, the text as a whole, and, where it was distilled
/// to guide by itself, the guidance.
final class TimeTextEmbedding {
  private static final int SINUSOIDS = 256;

  private final TimestepEmbedding timestepEmbedder;
  private final TimestepEmbedding guidanceEmbedder;
  private final LinearWeight textEmbedder1;
  private final LinearWeight textEmbedder2;

  TimeTextEmbedding(Weights weights, int pooled, int d, boolean guidance) {
    timestepEmbedder = new TimestepEmbedding(weights.at("timestep_embedder"), SINUSOIDS, 0, d);
    guidanceEmbedder =
        guidance ? new TimestepEmbedding(weights.at("guidance_embedder"), SINUSOIDS, 0, d) : null;
    textEmbedder1 = weights.linear("text_embedder.linear_1", d, pooled);
    textEmbedder2 = weights.linear("text_embedder.linear_2", d, d);
  }

  /// time(t) + guidance(1000 g) + text(pooled): (1, D).
  ///
  /// @param timestep 0 to 1000
  /// @param pooled the text's embedding (1, P) of any plain type
  Tensor forward(Functional f, double timestep, double guidance, Tensor pooled) {
    return Scoped.call(
        f,
        () -> {
          var time = embed(f, timestepEmbedder, timestep);
          var sum =
              guidanceEmbedder == null
                  ? time
                  : f.add(time, embed(f, guidanceEmbedder, 1000 * guidance));
          var text = f.linear(f.cast(pooled), textEmbedder1, Epilogue.of(Activation.SILU));
          return f.add(sum, f.linear(text, textEmbedder2));
        });
  }

  private static Tensor embed(Functional f, TimestepEmbedding by, double value) {
    var sinusoids = TimestepEmbedding.sinusoids(f, new double[] {value}, SINUSOIDS, true, 0);
    return by.forward(f, sinusoids, null);
  }
}
