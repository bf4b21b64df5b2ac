package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Products whose activations are rounded stay as near to the exact ones as their bits allow.
class FastProductsTest {
  private final Random random = new Random(11);
  private final Arena arena = Arena.ofAuto();

  @Test
  void panelsOfManyRows() {
    for (var type :
        new DType.Tiled[] {
          new DType.Tiled(4, 32),
          new DType.Tiled(4, 64),
          new DType.Tiled(4, 128),
          DType.Tiled.of(DType.Tiled.Form.MINIMA),
          DType.Tiled.of(DType.Tiled.Form.IQ1),
          DType.Tiled.of(DType.Tiled.Form.IQ2),
          DType.Tiled.of(DType.Tiled.Form.IQ3_XXS),
          DType.Tiled.of(DType.Tiled.Form.IQ3_S),
          DType.Tiled.of(DType.Tiled.Form.Q3_K),
          new DType.Tiled(8, 32),
          new DType.Tiled(8, 128)
        }) {
      for (int n : new int[] {32, 96, 256}) {
        // 7-bit activations and weights whose steps are a fraction of their groups': errors average
        // out over 512 products to well under a hundredth of the result's size.
        check(random(33, 512), tiled(type, n, 512), 0.015);
      }
    }
  }

  @Test
  void panelsOfMoreRowsThanOneProductTakes() {
    check(random(1037, 256), tiled(new DType.Tiled(4, 32), 64, 256), 0.015);
  }

  @Test
  void gatedProductsOfTiledWeights() {
    for (int rows : new int[] {1, 3, 33, 601}) {
      var x = random(rows, 256);
      var gate = tiled(new DType.Tiled(4, 32), 160, 256);
      var up = tiled(new DType.Tiled(4, 32), 160, 256);
      check(
          ops -> ops.gatedLinears(List.of(ops.activations(x)), List.of(gate), List.of(up))[0],
          0.02);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16", "I8"})
  void attentionOfManyRows(DType.Plain type) {
    for (int tokens : new int[] {70, 330}) {
      var q = random(tokens, 8, 32);
      var k = random(tokens, 2, 32);
      var v = random(tokens, 2, 32);
      for (int window : new int[] {0, 33}) {
        check(
            ops -> {
              try (var cache = Cached.of(2, 32, type, tokens)) {
                cache.put(ops, 0, k, v);
                fillWithNaN(ops);
                return cache.attention(ops, q, 0, new AttentionSpec(0.18f, window));
              }
            },
            0.005);
      }
    }
  }

  /// What lies unused in the workspace must not matter.
  private static void fillWithNaN(Ops ops) {
    try (var _ = ops.scope()) {
      ops.workspace().take(16 << 20).fill((byte) -1);
    }
  }

  @Test
  void blocksInPlace() {
    for (var type : new DType.Block[] {DType.Block.Q4_0, DType.Block.Q8_0}) {
      var w = Tensor.allocate(arena, type, 70, 256);
      for (long at = 0; at < w.byteSize(); at++) {
        w.segment().set(ValueLayout.JAVA_BYTE, at, (byte) random.nextInt());
      }
      for (long at = 0; at < w.byteSize(); at += type.blockBytes()) {
        float scale = 0.01f * random.nextFloat();
        w.segment().set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16(scale));
      }
      check(random(3, 256), w, 1e-5);
    }
  }

  @Test
  void levelsOfFewRows() {
    for (var form : DType.Tiled.Form.values()) {
      if (form.hasLevels()) {
        for (int rows : new int[] {1, 2, 5}) {
          check(random(rows, 512), tiled(DType.Tiled.of(form), 100, 512), 0.01);
        }
      }
    }
  }

  @Test
  void int4TilesOfFewRows() {
    for (int group : new int[] {32, 64, 128}) {
      for (int n : new int[] {32, 96, 100, 160}) {
        for (int rows : new int[] {1, 2, 5, 15}) {
          check(random(rows, 512), tiled(new DType.Tiled(4, group), n, 512), 0.01);
        }
      }
    }
  }

  @Test
  void bf16OfManyRows() {
    var w = Tensor.allocate(arena, DType.Plain.BF16, 100, 96);
    for (long i = 0; i < w.size(); i++) {
      int bits = Float.floatToRawIntBits((float) random.nextGaussian());
      w.segment().setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (bits >>> 16));
    }
    check(random(40, 96), w, 0.004);
  }

  /// Compares root mean square sizes of the error and of the exact result.
  private void check(Tensor x, Tensor w, double tolerance) {
    check(ops -> ops.linear(x, w), tolerance);
  }

  private static void check(Function<Ops, Tensor> product, double tolerance) {
    try (var exact = new Ops(Backend.SCALAR, 1);
        var fast = new Ops(Backend.NATIVE, 2, Precision.FAST)) {
      float[] e = product.apply(exact).toFloats();
      float[] f = product.apply(fast).toFloats();
      double error = 0;
      double size = 0;
      for (int i = 0; i < e.length; i++) {
        error += Math.pow(e[i] - f[i], 2);
        size += Math.pow(e[i], 2);
      }
      double relative = Math.sqrt(error / size);
      assertTrue(relative < tolerance, () -> "relative error " + relative);
    }
  }

  private Tensor tiled(DType.Tiled type, int n, int k) {
    var shape = Shape.of(n, k);
    var segment = arena.allocate(type.byteSize(shape), 64);
    var bytes = new byte[(int) segment.byteSize()];
    random.nextBytes(bytes);
    for (int i = 0; type.bits() == 8 && i < bytes.length; i++) {
      bytes[i] = (byte) Math.max(-127, bytes[i]);
    }
    segment.copyFrom(MemorySegment.ofArray(bytes));
    long block = (long) DType.Tiled.ROWS * type.blockBytes();
    for (long at = 0; at < segment.byteSize(); at += block) {
      for (int lane = 0; lane < 32; lane++) {
        float scale = (random.nextBoolean() ? 1 : -1) * (0.004f + 0.01f * random.nextFloat());
        segment.set(ValueLayout.JAVA_SHORT, at + 2 * lane, Float.floatToFloat16(scale));
        if (type.minima()) {
          float minimum = 0.01f * random.nextFloat();
          segment.set(ValueLayout.JAVA_SHORT, at + 64 + 2 * lane, Float.floatToFloat16(minimum));
        }
      }
    }
    return Tensor.of(segment, type, shape);
  }

  private Tensor random(long... dims) {
    var t = Tensor.allocate(arena, DType.Plain.F32, dims);
    for (long i = 0; i < t.size(); i++) {
      t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return t;
  }
}
