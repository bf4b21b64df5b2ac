package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The vector kernels against the scalar reference, bit for bit.
@Execution(ExecutionMode.CONCURRENT)
class UnpackTest {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final int[] SIZES = {0, 1, 3, 8, 17, 33, 207, 4099};

  @Test
  void equalsTheScalarReference() {
    checkAll();
  }

  /// The same in a new JVM, since a JVM has one vector width, for the widths below AVX-512's.
  @ParameterizedTest
  @ValueSource(ints = {16, 32})
  void equalsTheScalarReferenceOnNarrowerVectors(int bytes) throws Exception {
    Result result =
        Processes.run(Processes.java(UnpackTest.class, List.of("-XX:MaxVectorSize=" + bytes)));
    assertEquals(0, result.code(), result.out() + result.err());
  }

  /// Runs the checks without JUnit.
  public static void main(String[] args) {
    checkAll();
  }

  @Test
  @SuppressWarnings("try") // The arena is closed early to see what happens then.
  void segmentsAreChecked() {
    try (var arena = Arena.ofConfined()) {
      var src = arena.allocate(18);
      var dst = arena.allocate(128);
      var floats = dst;
      Unpack.toFloat(DType.Block.Q4_0, src, 0, dst, 0, 32);
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> Unpack.toFloat(DType.Block.Q4_0, src, 0, dst, 0, 64));
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> Unpack.toFloat(DType.Block.Q4_0, src, 0, dst, 4, 32));
      assertThrows(
          IndexOutOfBoundsException.class, () -> Unpack.floatToBf16(floats, -4, src, 0, 1));
      assertThrows(
          IllegalArgumentException.class,
          () ->
              Unpack.toFloat(
                  DType.Block.Q4_0, src, 0, MemorySegment.ofArray(new float[32]), 0, 32));
      assertThrows(
          IllegalArgumentException.class,
          () -> Unpack.toBf16(DType.Block.Q4_0, src, 0, dst, 0, 33));
      arena.close();
      assertThrows(
          IllegalStateException.class, () -> Unpack.toFloat(DType.Block.Q4_0, src, 0, dst, 0, 32));
    } catch (IllegalStateException e) {
      assertEquals("Already closed", e.getMessage());
    }
  }

  private static void checkAll() {
    List<DType> types = new ArrayList<>(List.of(DType.Plain.values()));
    types.addAll(List.of(DType.Block.values()));
    try (var arena = Arena.ofConfined()) {
      for (DType type : types) {
        if (Dequantize.supports(type)) {
          for (int size : SIZES) {
            long blocks = type.blockSize() >= 32 ? size % 34 : Math.ceilDiv(size, type.blockSize());
            check(arena, type, blocks * type.blockSize());
          }
        }
      }
      everyHalf(arena);
      rounding(arena);
    }
  }

  private static void check(Arena arena, DType type, long n) {
    long bytes = n / type.blockSize() * type.blockBytes();
    // Bytes at odd offsets and nothing behind them, so that reading on is caught.
    var src = arena.allocate(bytes + 1).asSlice(1);
    var random = new Random(n);
    for (long i = 0; i < bytes; i++) {
      src.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
    }
    var expected = arena.allocate(n * 4 + 4);
    var actual = arena.allocate(n * 4 + 4);
    actual.set(INT, n * 4, 77);
    Dequantize.toFloat(type, src, 0, expected, 0, n);
    Unpack.toFloat(type, src, 0, actual, 0, n);
    String what = type.name() + " x " + n;
    for (long i = 0; i < n; i++) {
      equal(floatAt(expected, i), floatAt(actual, i), what);
    }
    require(actual.get(INT, n * 4) == 77, what + " wrote past its end");

    actual.set(INT, n * 2, 77);
    Unpack.toBf16(type, src, 0, actual, 0, n);
    for (long i = 0; i < n; i++) {
      short bf16 = Floats.floatToBf16(floatAt(expected, i));
      equal(
          Floats.bf16ToFloat(bf16),
          Floats.bf16ToFloat(actual.get(SHORT, i * 2)),
          what + " to BF16");
    }
    require(actual.get(INT, n * 2) == 77, what + " to BF16 wrote past its end");
  }

  /// All 65536 bit patterns, so every subnormal, infinity and NaN.
  private static void everyHalf(Arena arena) {
    var halves = arena.allocate(65536 * 2);
    for (int i = 0; i < 65536; i++) {
      halves.set(SHORT, i * 2L, (short) i);
    }
    var floats = arena.allocate(65536 * 4);
    Unpack.toFloat(DType.Plain.F16, halves, 0, floats, 0, 65536);
    for (int i = 0; i < 65536; i++) {
      equal(Float.float16ToFloat((short) i), floatAt(floats, i), "F16 " + i);
    }
    var back = arena.allocate(65536 * 2);
    Unpack.floatToF16(floats, 0, back, 0, 65536);
    for (int i = 0; i < 65536; i++) {
      float expected = Float.float16ToFloat((short) i);
      equal(expected, Float.float16ToFloat(back.get(SHORT, i * 2L)), "F16 there and back " + i);
    }
  }

  /// Random bits, and around every F16 and BF16 the numbers halfway to the next.
  private static void rounding(Arena arena) {
    int n = 3 * 65536 + 5;
    var floats = arena.allocate(n * 4L);
    var random = new Random(1);
    for (int i = 0; i < n; i++) {
      int half = random.nextInt(-1, 2);
      int bits =
          switch (i % 3) {
            case 0 -> random.nextInt();
            case 1 ->
                Float.floatToRawIntBits(Float.float16ToFloat((short) (i / 3))) + 0x1000 + half;
            default -> (i / 3 << 16) + 0x8000 + half;
          };
      floats.set(INT, i * 4L, bits);
    }
    var out = arena.allocate(n * 2L);
    Unpack.floatToF16(floats, 0, out, 0, n);
    for (int i = 0; i < n; i++) {
      float f = floatAt(floats, i);
      equal(
          Float.float16ToFloat(Float.floatToFloat16(f)),
          Float.float16ToFloat(out.get(SHORT, i * 2L)),
          f + " to F16");
    }
    Unpack.floatToBf16(floats, 0, out, 0, n);
    for (int i = 0; i < n; i++) {
      float f = floatAt(floats, i);
      float rounded = Floats.bf16ToFloat(out.get(SHORT, i * 2L));
      equal(Floats.bf16ToFloat(Floats.floatToBf16(f)), rounded, f + " to BF16");
      require(Float.isNaN(f) == Float.isNaN(rounded), f + " to BF16 " + rounded);
    }
  }

  private static float floatAt(MemorySegment s, long i) {
    return s.get(ValueLayout.JAVA_FLOAT_UNALIGNED, i * 4);
  }

  /// Equal bits; one NaN is as good as another.
  private static void equal(float expected, float actual, String what) {
    require(
        Float.floatToIntBits(expected) == Float.floatToIntBits(actual),
        what + ": expected " + expected + ", got " + actual);
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new AssertionError(message);
    }
  }
}
