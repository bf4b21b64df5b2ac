package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.ValueLayout;

/// Two linear layers that turn sinusoids of a number (Vaswani et al. 2017, as in Ho et al. 2020)
/// into a condition.
public final class TimestepEmbedding {
  private static final double MAX_PERIOD = 10_000;

  private final LinearWeight linear1;
  private final LinearWeight linear2;
  private final LinearWeight condProj;

  /// @param condDim the size of a further condition; 0 for none
  public TimestepEmbedding(Weights weights, int in, int condDim, int out) {
    linear1 = weights.linear("linear_1", out, in);
    linear2 = weights.linear("linear_2", out, out);
    condProj = condDim == 0 ? null : weights.linearWithoutBias("cond_proj", in, condDim);
  }

  /// linear2(silu(linear1(x + condProj(cond)))): x (B, I), result (B, E).
  public Tensor forward(Functional f, Tensor x, Tensor cond) {
    var in = condProj == null ? x : f.linear(cond, condProj, Epilogue.add(x));
    return f.linear(f.linear(in, linear1, Epilogue.of(Activation.SILU)), linear2);
  }

  /// `sin(t w_i), cos(t w_i)` with `w_i = 10000^(-i / (dim / 2 - shift))`, for each value t:
  /// (values, dim).
  ///
  /// @param flip cosines first
  public static Tensor sinusoids(
      Functional f, double[] values, int dim, boolean flip, double shift) {
    int half = dim / 2;
    return Scoped.call(
        f,
        () -> {
          var rows = f.ops().empty(values.length, dim);
          for (int r = 0; r < values.length; r++) {
            for (int i = 0; i < half; i++) {
              double angle = values[r] * Math.exp(-Math.log(MAX_PERIOD) * i / (half - shift));
              set(rows, r * dim + i, flip ? Math.cos(angle) : Math.sin(angle));
              set(rows, r * dim + half + i, flip ? Math.sin(angle) : Math.cos(angle));
            }
          }
          return f.cast(rows);
        });
  }

  private static void set(Tensor t, long index, double value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, index, (float) value);
  }
}
