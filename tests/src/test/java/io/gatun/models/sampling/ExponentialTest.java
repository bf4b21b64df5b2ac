package io.gatun.models.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class ExponentialTest {
  @Test
  void isWhatMathSays() {
    var random = new Random(1);
    for (int i = 0; i < 100_000; i++) {
      double x = -random.nextDouble() * (i % 2 == 0 ? 1 : 690);
      double exact = Math.exp(x);
      assertEquals(exact, Exponential.of(x), 2e-13 * exact, () -> "exp " + x);
    }
    assertEquals(1, Exponential.of(0));
  }

  @Test
  void whatIsNoNumberOrTooSmallIsNothing() {
    for (double x : new double[] {-701, -1e300, Double.NEGATIVE_INFINITY, Double.NaN}) {
      assertEquals(0, Exponential.of(x), () -> "exp " + x);
    }
  }
}
