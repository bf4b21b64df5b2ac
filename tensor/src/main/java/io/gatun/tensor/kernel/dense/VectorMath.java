package io.gatun.tensor.kernel.dense;

import static io.gatun.tensor.kernel.dense.Lanes.ROUND;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Elementary functions on vectors, the same to the last bit on every machine and width.
public final class VectorMath {
  private static final float LOG2_E = 0x1.715476p+0f;
  // ln 2 in two parts: the first has few bits, so its product with a small integer is exact.
  private static final float LN2_HIGH = 0x1.63p-1f;
  private static final float LN2_LOW = -0x1.bd0106p-13f;

  private VectorMath() {}

  /// e^x within 2 units in the last place; below -87.3 it stays at 1.2e-38, above 88.3 at 2.4e38.
  public static FloatVector exp(FloatVector x) {
    var clamped = x.max(-87.3f).min(88.3f);
    var shifted = clamped.mul(LOG2_E).add(ROUND);
    var n = shifted.sub(ROUND);
    var r = n.fma(all(x, -LN2_LOW), n.fma(all(x, -LN2_HIGH), clamped));
    // e^r on |r| <= ln(2)/2: the Taylor series up to r^7 / 7!.
    var p = r.fma(all(x, 1f / 5040), all(x, 1f / 720));
    p = p.fma(r, all(x, 1f / 120));
    p = p.fma(r, all(x, 1f / 24));
    p = p.fma(r, all(x, 1f / 6));
    p = p.fma(r, all(x, 0.5f));
    p = p.fma(r, all(x, 1f));
    p = p.fma(r, all(x, 1f));
    var power =
        shifted
            .reinterpretAsInts()
            .lanewise(VectorOperators.LSHL, 23)
            .add(0x3F800000)
            .reinterpretAsFloats();
    return p.mul(power);
  }

  /// `x / (1 + e^(-alpha x))`.
  public static FloatVector swish(FloatVector x, float alpha) {
    return x.div(exp(x.mul(-alpha)).add(1f));
  }

  /// `x Phi(x)` within 2e-7 of the greater of |x| and 1.
  public static FloatVector gelu(FloatVector x) {
    // Phi(c) = 1/2 + c q(2 (c / 5.5)^2 - 1) on |c| <= 5.5, where q is a minimax fit; beyond, Phi
    // is 0 or 1 within F32.
    var low = x.max(-5.5f);
    var c = low.min(5.5f);
    var t = c.mul(c).fma(all(x, 2 / 30.25f), all(x, -1f));
    var q = t.fma(all(x, 0.00044752925f), all(x, -0.0012996374f));
    q = q.fma(t, all(x, 0.0012978965f));
    q = q.fma(t, all(x, -0.0014302105f));
    q = q.fma(t, all(x, 0.003916458f));
    q = q.fma(t, all(x, -0.0074532293f));
    q = q.fma(t, all(x, 0.010649694f));
    q = q.fma(t, all(x, -0.014786923f));
    q = q.fma(t, all(x, 0.020236837f));
    q = q.fma(t, all(x, -0.026083644f));
    q = q.fma(t, all(x, 0.032088373f));
    q = q.fma(t, all(x, -0.038790286f));
    q = q.fma(t, all(x, 0.047736682f));
    q = q.fma(t, all(x, -0.06417239f));
    q = q.fma(t, all(x, 0.12855195f));
    return low.mul(c.fma(q, all(x, 0.5f)));
  }

  /// GELU by its tanh approximation, which is `x sigmoid(2 u)` for `x (1 + tanh(u)) / 2`.
  public static FloatVector geluTanh(FloatVector x) {
    // 2 sqrt(2 / pi) and that times 0.044715.
    var u = x.mul(x).fma(all(x, 0.071354814f), all(x, 1.595769f)).mul(x);
    return x.div(exp(u.neg()).add(1f));
  }

  private static FloatVector all(FloatVector like, float value) {
    return FloatVector.broadcast(like.species(), value);
  }
}
