package io.gatun.models.dit;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// How a condition scales and shifts a part's input, and gates its result (adaptive layer
/// normalization, Perez et al. 2018; Peebles and Xie 2023, section 3.2):
///
///     x += gate * part(norm(x) * scale + shift)
///
/// @param shift (D) F32
/// @param scale (D) F32, 1 included
/// @param gate (D) of the activations' type; null where nothing is gated
record Modulation(Tensor shift, Tensor scale, Tensor gate) {
  /// What networks add to the variance.
  private static final float EPS = 1e-6f;

  /// Of values that hold shift, scale and gate of one part after another.
  static List<Modulation> ofParts(Functional f, float[] values, int d) {
    var out = new ArrayList<Modulation>();
    for (int at = 0; at < values.length; at += 3 * d) {
      out.add(
          new Modulation(
              vector(f, values, at, d, 0),
              vector(f, values, at + d, d, 1),
              f.cast(vector(f, values, at + 2 * d, d, 0))));
    }
    return out;
  }

  /// Of values that hold the scale, then the shift.
  static Modulation ofScaleShift(Functional f, float[] values) {
    int d = values.length / 2;
    return new Modulation(vector(f, values, d, d, 0), vector(f, values, 0, d, 1), null);
  }

  /// Of values that hold the shift, then the scale.
  static Modulation ofShiftScale(Functional f, float[] values) {
    int d = values.length / 2;
    return new Modulation(vector(f, values, 0, d, 0), vector(f, values, d, d, 1), null);
  }

  /// Of values that hold the scale, without a shift.
  static Modulation ofScale(Functional f, float[] values) {
    int d = values.length;
    return new Modulation(vector(f, new float[d], 0, d, 0), vector(f, values, 0, d, 1), null);
  }

  private static Tensor vector(Functional f, float[] values, int from, int d, float plus) {
    float[] sums = Arrays.copyOfRange(values, from, from + d);
    for (int i = 0; i < d; i++) {
      sums[i] += plus;
    }
    var out = f.ops().empty(d);
    MemorySegment.copy(sums, 0, out.segment(), ValueLayout.JAVA_FLOAT, 0, d);
    return out;
  }

  /// norm(x) * scale + shift: x (T, D).
  Tensor norm(Functional f, Tensor x) {
    return f.layerNorm(x, scale, shift, EPS);
  }

  /// x + gate * y: x and y (T, D).
  Tensor gated(Functional f, Tensor x, Tensor y) {
    return f.add(x, f.mul(y, gate));
  }
}
