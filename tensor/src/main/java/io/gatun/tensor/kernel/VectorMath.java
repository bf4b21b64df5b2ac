package io.gatun.tensor.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Elementary functions on vectors, the same to the last bit on every machine and width.
final class VectorMath {
  private static final float LOG2_E = 0x1.715476p+0f;
  // ln 2 in two parts: the first has few bits, so its product with a small integer is exact.
  private static final float LN2_HIGH = 0x1.63p-1f;
  private static final float LN2_LOW = -0x1.bd0106p-13f;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  private static final float ROUND = 12582912f;

  private VectorMath() {}

  /// e^x within 2 units in the last place; below -87.3 it stays at 1.2e-38, above 88.3 at 2.4e38.
  static FloatVector exp(FloatVector x) {
    var clamped = x.max(-87.3f).min(88.3f);
    var shifted = clamped.mul(LOG2_E).add(ROUND);
    var n = shifted.sub(ROUND);
    var r = clamped.sub(n.mul(LN2_HIGH)).sub(n.mul(LN2_LOW));
    // e^r on |r| <= ln(2)/2: the Taylor series up to r^7 / 7!.
    var p = r.mul(1f / 5040).add(1f / 720);
    p = p.mul(r).add(1f / 120);
    p = p.mul(r).add(1f / 24);
    p = p.mul(r).add(1f / 6);
    p = p.mul(r).add(0.5f);
    p = p.mul(r).add(1f);
    p = p.mul(r).add(1f);
    var power =
        shifted
            .reinterpretAsInts()
            .lanewise(VectorOperators.LSHL, 23)
            .add(0x3F800000)
            .reinterpretAsFloats();
    return p.mul(power);
  }

  /// `x / (1 + e^(-alpha x))`.
  static FloatVector swish(FloatVector x, float alpha) {
    return x.div(exp(x.mul(-alpha)).add(1f));
  }

  /// `x Phi(x)`, within 3e-7 of the greater of |x| and 1 times Phi(x)'s scale.
  static FloatVector gelu(FloatVector x) {
    // Phi(-|x|) = erfc(a) / 2 with a = |x| / sqrt(2), and erfc(a) = e^(-a^2) t P(t) with
    // t = 1 / (1 + 0.42 a): P is a minimax fit on a <= 9.4 with a relative error of 1.7e-7.
    var magnitude = x.abs();
    var t = FloatVector.broadcast(x.species(), 1f).div(magnitude.mul(0.29698485f).add(1f));
    var p = t.mul(0.070392944f).add(-0.32093948f);
    p = p.mul(t).add(0.4418665f);
    p = p.mul(t).add(-0.13164258f);
    p = p.mul(t).add(0.26934358f);
    p = p.mul(t).add(0.19454047f);
    p = p.mul(t).add(0.23961622f);
    p = p.mul(t).add(0.2368222f);
    var tail = exp(x.mul(x).mul(-0.5f)).mul(p.mul(t)).mul(magnitude.mul(0.5f));
    return x.max(0f).sub(tail);
  }

  /// GELU by its tanh approximation, which is `x sigmoid(2 u)` for `x (1 + tanh(u)) / 2`.
  static FloatVector geluTanh(FloatVector x) {
    // 2 sqrt(2 / pi) and that times 0.044715.
    var u = x.mul(x).mul(0.071354814f).add(1.5957692f).mul(x);
    return x.div(exp(u.neg()).add(1f));
  }
}
