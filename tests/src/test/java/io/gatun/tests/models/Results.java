package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.sam.Prompt;
import io.gatun.tensor.Tensor;

/// Compares with recorded results.
final class Results {
  private Results() {}

  /// A prompt, or null for none yet, and a point of which `label` says whether it is on the object.
  static Prompt withPoint(Prompt prompt, float x, float y, int label) {
    if (label == Prompt.FOREGROUND) {
      return prompt == null ? Prompt.point(x, y) : prompt.withPoint(x, y);
    }
    return prompt == null ? Prompt.background(x, y) : prompt.withBackground(x, y);
  }

  /// A prompt, or null for none yet, and the box x0, y0, x1, y1.
  static Prompt withBox(Prompt prompt, float... box) {
    return prompt == null
        ? Prompt.box(box[0], box[1], box[2], box[3])
        : prompt.withBox(box[0], box[1], box[2], box[3]);
  }

  /// Equal within `tolerance` of the greatest expected magnitude.
  static void assertClose(String what, Tensor expected, Tensor found, float tolerance) {
    assertClose(what, expected, found.toFloats(), tolerance);
  }

  /// Equal within `tolerance` of the greatest expected magnitude.
  static void assertClose(String what, Tensor expected, float[] found, float tolerance) {
    float[] e = expected.toFloats();
    assertEquals(e.length, found.length, what);
    float max = 0;
    float worst = 0;
    for (int i = 0; i < e.length; i++) {
      max = Math.max(max, Math.abs(e[i]));
      assertTrue(Float.isFinite(found[i]), what); // or it would hide from the comparison
      worst = Math.max(worst, Math.abs(e[i] - found[i]));
    }
    assertTrue(
        worst <= tolerance * max,
        "%s is off by %.3g of its greatest magnitude".formatted(what, worst / max));
  }
}
