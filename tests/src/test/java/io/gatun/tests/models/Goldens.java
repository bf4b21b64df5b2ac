package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.function.UnaryOperator;

/// Recorded results of a reference implementation, which keeps images in NCHW, and what Gatun makes
/// of the same, in NHWC.
final class Goldens implements AutoCloseable {
  private static final double F32 = 1e-4;
  private static final double BF16 = 2e-2;

  /// How much more than the reference's own BF16 ours may differ where that is beyond [#BF16].
  private static final double OF_REFERENCE = 1.25;

  private final Checkpoint recorded;
  private final DType.Plain dtype;
  private final double bf16;
  private final Set<String> compared = new HashSet<>();

  /// @param dtype of the activations that are compared with these
  Goldens(Path file, DType.Plain dtype) {
    this(file, dtype, 0);
  }

  /// @param reference how far the reference's own BF16 is from what it makes in F32, as the root
  ///   mean square of the differences: a network that amplifies rounding does so in any code
  Goldens(Path file, DType.Plain dtype, double reference) {
    recorded = Checkpoint.open(file);
    this.dtype = dtype;
    bf16 = Math.max(BF16, OF_REFERENCE * reference);
  }

  boolean has(String name) {
    return recorded.tensors().containsKey(name);
  }

  Tensor tensor(String name) {
    return recorded.tensor(name);
  }

  /// A recorded (B, C, H, W) as (B, H, W, C).
  Tensor image(String name) {
    return nhwc(recorded.tensor(name));
  }

  /// (B, C, H, W) as (B, H, W, C), contiguous.
  static Tensor nhwc(Tensor nchw) {
    var nhwc = nchw.transpose(1, 2).transpose(2, 3);
    return Tensor.ofFloats(Arena.ofAuto(), nhwc.toFloats(), nhwc.shape().dims());
  }

  /// Token ids (B, S).
  int[][] ids(String name) {
    var t = recorded.tensor(name);
    var out = new int[(int) t.dim(0)][(int) t.dim(1)];
    for (int b = 0; b < out.length; b++) {
      for (int s = 0; s < out[b].length; s++) {
        out[b][s] = (int) t.getFloat(b, s);
      }
    }
    return out;
  }

  /// Compares a result with what was recorded under that name, an image if it has 4 dimensions.
  ///
  /// F32 may differ by 1e-4 of the greatest magnitude anywhere. BF16 may differ by 2e-2 of the root
  /// mean square on the whole: the reference's own BF16 differs by up to 3e-2 of the greatest
  /// magnitude at single places of these networks, most of which are random.
  void check(String name, Tensor found) {
    check(name, t -> t.shape().rank() == 4 ? nhwc(t) : t, found);
  }

  /// As [#check(String, Tensor)], of a part of what was recorded, or in another form.
  void check(String name, UnaryOperator<Tensor> part, Tensor found) {
    var expected = part.apply(recorded.tensor(name));
    assertArrayEquals(expected.shape().dims(), found.shape().dims(), name);
    if (dtype == DType.Plain.F32) {
      assertClose(name, expected, found, F32);
    } else {
      assertCloseOnTheWhole(name, expected, found, bf16);
    }
    compared.add(name);
  }

  /// Equal everywhere within `tolerance` of the greatest expected magnitude.
  static void assertClose(String what, Tensor expected, Tensor found, double tolerance) {
    assertClose(what, expected, found.toFloats(), tolerance);
  }

  /// Equal everywhere within `tolerance` of the greatest expected magnitude.
  static void assertClose(String what, Tensor expected, float[] found, double tolerance) {
    float[] e = expected.toFloats();
    assertEquals(e.length, found.length, what);
    double max = 0;
    double worst = 0;
    for (int i = 0; i < e.length; i++) {
      max = Math.max(max, Math.abs(e[i]));
      worst = Math.max(worst, difference(e[i], found[i]));
    }
    assertWithin(what, worst == 0 ? 0 : worst / max, tolerance);
  }

  /// The root mean square of the differences is within `tolerance` of that of the expected values.
  private static void assertCloseOnTheWhole(
      String what, Tensor expected, Tensor found, double tolerance) {
    float[] e = expected.toFloats();
    float[] f = found.toFloats();
    double squares = 0;
    double errors = 0;
    for (int i = 0; i < e.length; i++) {
      double difference = difference(e[i], f[i]);
      squares += e[i] * e[i];
      errors += difference * difference;
    }
    assertWithin(what, Math.sqrt(errors / squares), tolerance);
  }

  /// Infinite for what is no number, which would hide from a comparison.
  private static double difference(float expected, float found) {
    return Float.isFinite(found) ? Math.abs((double) expected - found) : Double.POSITIVE_INFINITY;
  }

  private static void assertWithin(String what, double share, double limit) {
    assertTrue(
        share <= limit, () -> "%s differs by %.2g; %.2g is allowed".formatted(what, share, limit));
  }

  /// In F32, compares an intermediate result, if there is a record of that name.
  void stage(String name, Tensor found) {
    stage(name, t -> t.shape().rank() == 4 ? nhwc(t) : t, found);
  }

  /// As [#stage(String, Tensor)], of a part of what was recorded.
  void stage(String name, UnaryOperator<Tensor> part, Tensor found) {
    if (dtype == DType.Plain.F32 && has(name)) {
      check(name, part, found);
    }
  }

  /// Checks how many records were compared: `f32`, or in BF16, where results alone are, `bf16`.
  void assertCompared(int f32, int bf16) {
    assertEquals(dtype == DType.Plain.F32 ? f32 : bf16, compared.size());
  }

  @Override
  public void close() {
    recorded.close();
  }
}
