package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.DType;
import io.gatun.tensor.DType.Tiled;
import io.gatun.tensor.Shape;
import io.gatun.tensor.kernel.tiled.QuantizedRows;
import io.gatun.tensor.kernel.tiled.ScalarTiled;
import io.gatun.tensor.kernel.tiled.TiledPack;
import io.gatun.tensor.kernel.tiled.TiledProduct;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Products of tiled weights and quantized activations against plain loops.
@Execution(ExecutionMode.CONCURRENT)
class TiledProductTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final Tiled[] TYPES = {
    new Tiled(4, 32),
    new Tiled(4, 64),
    new Tiled(4, 128),
    Tiled.of(Tiled.Form.MINIMA),
    Tiled.of(Tiled.Form.IQ1),
    Tiled.of(Tiled.Form.IQ2),
    Tiled.of(Tiled.Form.IQ3_XXS),
    Tiled.of(Tiled.Form.IQ3_S),
    Tiled.of(Tiled.Form.Q3_K),
    new Tiled(8, 32),
    new Tiled(8, 64),
    new Tiled(8, 128)
  };
  private static final int[] ROWS = {1, 31, 32, 33, 207};
  private static final int[] COUNTS = {1, 2, 4, 7, 16};

  @Test
  void agreesWithThePlainLoops() {
    checkAll();
  }

  /// The same in a new JVM, since a JVM has one vector width.
  @ParameterizedTest
  @ValueSource(ints = {16, 32, 64})
  void agreesAtEveryVectorWidth(int bytes) throws Exception {
    inNewJvm("-XX:MaxVectorSize=" + bytes);
  }

  private static void inNewJvm(String flag) throws Exception {
    Result result = Processes.run(Processes.java(TiledProductTest.class, List.of(flag)));
    assertEquals(0, result.code(), result.out() + result.err());
  }

  /// Runs the checks without JUnit.
  public static void main(String[] args) {
    checkAll();
  }

  @Test
  void theLargestIntegersDoNotOverflow() {
    try (var arena = Arena.ofConfined()) {
      for (Tiled type : TYPES) {
        int k = 256;
        var w = arena.allocate(type.byteSize(Shape.of(32, k)), 64);
        if (type.hasLevels()) {
          w.fill((byte) 0x77); // the greatest there is: 62
          for (long i = 0; i < 64; i += 2) {
            w.set(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(1));
          }
        } else if (!type.minima()) {
          var extremes = new float[32 * k];
          java.util.Arrays.fill(extremes, -1);
          TiledPack.fromFloat(type, MemorySegment.ofArray(extremes), 0, 32, k, w, 0);
        } else {
          w.fill((byte) 0);
          for (long i = 0; i < 64; i += 2) {
            w.set(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(1));
          }
          for (long group = 128; group < w.byteSize(); group += 576) {
            w.asSlice(group, 64).fill((byte) 63);
          }
        }
        var x = arena.allocate(4L * k);
        for (long i = 0; i < k; i++) {
          x.set(FLOAT, i * 4, -127);
        }
        agree(arena, type, w, x, 32, k, 1);
        agree(arena, type, w, x.fill((byte) 0), 32, k, 1);
      }
    }
  }

  /// F16 scales may be subnormal, and activations larger than F16 can hold.
  @ParameterizedTest
  @CsvSource({"3e-6, 3", "0.01, 1e5", "3e-6, 1e5"})
  void smallScalesAndLargeActivations(float scale, float activation) {
    var random = new SplittableRandom(7);
    try (var arena = Arena.ofConfined()) {
      for (Tiled type : TYPES) {
        if (!TiledProduct.supports(type)) {
          continue;
        }
        int k = 256;
        var w = weights(arena, type, 64, k, random);
        for (long tile = 0; tile < w.byteSize(); tile += (long) Tiled.ROWS * type.blockBytes()) {
          for (int i = 0; i < 64; i += 2) {
            w.set(ValueLayout.JAVA_SHORT, tile + i, Float.floatToFloat16(scale));
          }
        }
        for (int count : COUNTS) {
          var x = floats(arena, count * k, random);
          for (long i = 0; i < x.byteSize(); i += 4) {
            x.set(FLOAT, i, x.get(FLOAT, i) / 3 * activation);
          }
          agree(arena, type, w, x, 64, k, count);
        }
      }
    }
  }

  @Test
  void infinitiesShow() {
    try (var arena = Arena.ofConfined()) {
      for (float odd : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
        var x = arena.allocate(4L * 32);
        x.set(FLOAT, 12, odd);
        var q = arena.allocate(QuantizedRows.rowBytes(32));
        QuantizedRows.quantize(x, 0, q, 0, 1, 32, 4);
        assertEquals(false, Float.isFinite(q.get(FLOAT, 128)));
      }
    }
  }

  @Test
  void segmentsAreChecked() {
    try (var arena = Arena.ofConfined()) {
      var type = new Tiled(4, 32);
      var w = arena.allocate(type.byteSize(Shape.of(32, 64)));
      var q = arena.allocate(QuantizedRows.rowBytes(64));
      var y = arena.allocate(33 * 4);
      new TiledProduct(type, w, 0, 32, 64, q, 1, y, 0, 0);
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> new TiledProduct(type, w, 0, 33, 64, q, 1, y, 0, 0));
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> new TiledProduct(type, w, 0, 32, 64, q, 2, y, 0, 0));
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> new TiledProduct(type, w, 0, 32, 64, q, 1, y, 8, 0));
    }
  }

  private static void checkAll() {
    var random = new SplittableRandom(5);
    try (var arena = Arena.ofConfined()) {
      for (Tiled type : TYPES) {
        if (!TiledProduct.supports(type)) {
          continue;
        }
        for (int n : ROWS) {
          int k = type.blockSize() * random.nextInt(1, 5);
          if (type.blockSize() == 32) {
            k += 256;
          }
          var w = weights(arena, type, n, k, random);
          for (int count : COUNTS) {
            agree(arena, type, w, floats(arena, count * k, random), n, k, count);
          }
        }
      }
    }
  }

  /// Multiplies in two parts, and checks that nothing beyond is written, and that rows one by one
  /// give the same bits.
  private static void agree(
      Arena arena, Tiled type, MemorySegment w, MemorySegment x, int n, int k, int count) {
    long rowBytes = QuantizedRows.rowBytes(k);
    var q = arena.allocate(rowBytes * count);
    for (int m = 0; m < count; m++) {
      QuantizedRows.quantize(x, 4L * m * k, q, m, count, k, TiledProduct.activationBits(type));
    }
    long stride = 4L * (n + 1);
    var expected = arena.allocate(stride * count);
    var actual = arena.allocate(stride * count);
    ScalarTiled.multiply(type, w, q, count, k, 0, n, expected, stride);
    var scratch = arena.allocate(TiledProduct.SCRATCH_BYTES, 64);
    var product = new TiledProduct(type, w, 0, n, k, q, count, actual, 0, stride);
    int tiles = Math.ceilDiv(n, Tiled.ROWS);
    product.multiply(0, tiles / 3, scratch, 0);
    product.multiply(tiles / 3, tiles, scratch, 0);
    double size = 0;
    for (long i = 0; i < expected.byteSize(); i += 4) {
      size = Math.max(size, Math.abs(expected.get(FLOAT, i)));
    }
    for (long i = 0; i < expected.byteSize(); i += 4) {
      float e = expected.get(FLOAT, i);
      float a = actual.get(FLOAT, i);
      if (!(Math.abs(e - a) <= 1e-5 * size)) {
        throw new AssertionError(
            "%s (%d, %d) x %d: element %d is %s; need %s"
                .formatted(type.name(), n, k, count, i / 4, a, e));
      }
    }
    var oneByOne = arena.allocate(stride * count);
    TiledProduct.setTogether(false);
    try {
      new TiledProduct(type, w, 0, n, k, q, count, oneByOne, 0, stride)
          .multiply(0, tiles, scratch, 0);
    } finally {
      TiledProduct.setTogether(true);
    }
    if (oneByOne.mismatch(actual) >= 0) {
      throw new AssertionError(type.name() + ": " + count + " rows one by one differ");
    }
  }

  private static MemorySegment weights(
      Arena arena, Tiled type, int n, int k, SplittableRandom random) {
    var w = arena.allocate(type.byteSize(Shape.of(n, k)), 64);
    if (type.minima()) {
      var block = DType.Block.Q4_K;
      var q4k = arena.allocate((long) n * k / 256 * block.blockBytes());
      for (long i = 0; i < q4k.byteSize(); i++) {
        q4k.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
      }
      for (long i = 0; i < q4k.byteSize(); i += block.blockBytes()) {
        for (int j = 0; j < 4; j += 2) {
          short half = Float.floatToFloat16((float) random.nextDouble(-0.01, 0.01));
          q4k.set(ValueLayout.JAVA_SHORT_UNALIGNED, i + j, half);
        }
      }
      TiledPack.fromBlocks(block, q4k, 0, n, k, w, 0);
    } else if (type.hasLevels()) {
      for (long i = 0; i < w.byteSize(); i++) {
        w.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
      }
      for (long tile = 0; tile < w.byteSize(); tile += (long) Tiled.ROWS * type.blockBytes()) {
        for (int i = 0; i < 64; i += 2) {
          short half = Float.floatToFloat16((float) random.nextDouble(-0.01, 0.01));
          w.set(ValueLayout.JAVA_SHORT, tile + i, half);
        }
      }
    } else {
      TiledPack.fromFloat(type, floats(arena, n * k, random), 0, n, k, w, 0);
    }
    return w;
  }

  private static MemorySegment floats(Arena arena, int n, SplittableRandom random) {
    var x = arena.allocate(4L * n);
    for (long i = 0; i < n; i++) {
      x.set(FLOAT, i * 4, (float) random.nextDouble(-3, 3));
    }
    return x;
  }
}
