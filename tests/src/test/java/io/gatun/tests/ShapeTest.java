package io.gatun.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.Shape;
import org.junit.jupiter.api.Test;

class ShapeTest {
  @Test
  void printsAsPythonDoes() {
    assertEquals("()", Shape.of().toString());
    assertEquals("(7,)", Shape.of(7).toString());
    assertEquals("(2, 3)", Shape.of(2, 3).toString());
  }

  @Test
  void refusesProductsThatOverflow() {
    assertThrows(IllegalArgumentException.class, () -> Shape.of(1L << 32, 1L << 32));
  }
}
