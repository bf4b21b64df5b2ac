package io.gatun.models.dit;

import io.gatun.models.nn.RmsNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// Rotary positions (Su et al. 2021) of several axes, such as row and column: each turns channels
/// of its own, in neighbouring pairs.
///
/// @param axesDims the channels of a head that each axis turns
record AxialRope(List<Integer> axesDims, double theta) {
  /// How far the channels of each token are turned: (T, K) F32, sines with the sign of their place
  /// in a pair.
  record Table(Tensor cos, Tensor sin) {
    /// norm(x), turned: x (T, N K).
    ///
    /// @param norm of each head; null for none
    Tensor turn(Functional f, Tensor x, RmsNorm norm) {
      return Scoped.call(
          f,
          () -> {
            long k = cos.dim(1);
            var heads = x.reshape(x.size() / k, k);
            var turned = norm == null ? f.toF32(heads) : norm.inF32(f, heads);
            f.ops().rope(turned.reshape(x.dim(0), x.dim(1) / k, k), cos, sin, true);
            return f.cast(turned.reshape(x.shape().dims()));
          });
    }
  }

  /// @param places for each token its place on each axis
  Table table(Functional f, List<int[]> places) {
    int k = axesDims.stream().mapToInt(Integer::intValue).sum();
    var cos = f.ops().empty(places.size(), k);
    var sin = f.ops().empty(places.size(), k);
    long at = 0;
    for (int[] place : places) {
      for (int axis = 0; axis < axesDims.size(); axis++) {
        int dim = axesDims.get(axis);
        for (int i = 0; i < dim; i += 2) {
          double angle = place[axis] / Math.pow(theta, (double) i / dim);
          set(cos, at, Math.cos(angle));
          set(sin, at++, -Math.sin(angle));
          set(cos, at, Math.cos(angle));
          set(sin, at++, Math.sin(angle));
        }
      }
    }
    return new Table(cos, sin);
  }

  private static void set(Tensor t, long i, double value) {
    t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value);
  }
}
