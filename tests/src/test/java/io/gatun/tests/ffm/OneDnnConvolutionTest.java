package io.gatun.tests.ffm;

import static io.gatun.ffm.ElementType.BF16;
import static io.gatun.ffm.ElementType.F32;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.ConvolutionSpec;
import io.gatun.ffm.ConvolutionSpec.Padding;
import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.ffm.PackedLayout;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.PostOp.Activation;
import io.gatun.ffm.PostOp.Binary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class OneDnnConvolutionTest {
  @BeforeAll
  static void needsOneDnn() {
    assertTrue(OneDnn.isAvailable(), OneDnn::problem);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void convolutionEqualsThePlainLoop(ElementType type) {
    OneDnnMatmulTest.needs(type);
    check(ConvolutionSpec.of(1, 7, 9, 3, 5, 3, 1, 1, type), type);
    check(ConvolutionSpec.of(2, 8, 8, 16, 33, 1, 1, 0, type), type);
    check(ConvolutionSpec.of(1, 32, 32, 3, 20, 16, 16, 0, type), type);
    check(ConvolutionSpec.of(2, 11, 13, 32, 32, 3, 2, 1, type).withBias(F32), type);
    check(
        new ConvolutionSpec(
            1,
            10,
            10,
            8,
            16,
            3,
            3,
            2,
            new Padding(0, 0, 1, 1),
            type,
            type,
            type,
            null,
            null,
            List.of()),
        type);
    check(ConvolutionSpec.of(1, 9, 9, 24, 48, 3, 1, 1, type).withBias(type), type);
  }

  @ParameterizedTest
  @CsvSource({"BF16, F32", "F32, BF16", "F32, F16"})
  void weightsAreConvertedWhenTheyArePacked(ElementType type, ElementType stored) {
    OneDnnMatmulTest.needs(type);
    check(ConvolutionSpec.of(1, 9, 9, 17, 40, 3, 1, 1, type), stored);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void postOpsRunInTheirOrder(ElementType type) {
    OneDnnMatmulTest.needs(type);
    check(
        ConvolutionSpec.of(2, 6, 5, 19, 32, 3, 1, 1, type)
            .withBias(F32)
            .withPostOps(
                PostOp.ACCUMULATE,
                Activation.SILU,
                new Binary(Binary.Op.MULTIPLY, F32, Binary.Extent.PER_COLUMN),
                new Binary(Binary.Op.ADD, type, Binary.Extent.EVERY_ELEMENT)),
        type);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void weightsArePackedInParts(ElementType type) {
    OneDnnMatmulTest.needs(type);
    int channels = 192;
    int inChannels = 24;
    var layout =
        OneDnn.packedLayout(ConvolutionSpec.of(1, 9, 9, inChannels, channels, 3, 1, 1, type));
    var part = layout.part(64);
    try (var arena = Arena.ofConfined()) {
      MemorySegment w = Matrices.random(arena, type, channels * inChannels * 9, 2);
      MemorySegment whole = arena.allocate(layout.byteSize(), 64);
      MemorySegment parts = arena.allocate(layout.byteSize(), 64);
      OneDnn.pack(type, w, layout, whole);
      for (int i = 0; i < channels / 64; i++) {
        var stored = w.asSlice(w.byteSize() / 3 * i, w.byteSize() / 3);
        OneDnn.pack(type, stored, part, parts.asSlice(part.byteSize() * i, part.byteSize()));
      }
      assertEquals(-1, whole.mismatch(parts));
    }
    assertNull(layout.part(65), "no whole number of them");
    assertNull(layout.part(3), "within a block");
  }

  @Test
  void wrongCallsAreErrors() {
    var spec = ConvolutionSpec.of(1, 4, 4, 4, 4, 3, 1, 1, F32);
    MemorySegment none = MemorySegment.NULL;
    assertThrows(
        IllegalArgumentException.class,
        () -> OneDnn.convolution(spec, none, none, none, Operands.NONE));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            OneDnn.convolution(
                spec.withLayout(OneDnn.packedLayout(spec)), none, none, none, Operands.NONE));
    assertThrows(
        IllegalArgumentException.class, () -> ConvolutionSpec.of(1, 2, 2, 1, 1, 3, 1, 0, F32));
  }

  // The post-ops are those of postOpsRunInTheirOrder, or none.
  private static void check(ConvolutionSpec plain, ElementType stored) {
    int ic = plain.inChannels();
    int oc = plain.outChannels();
    int weights = oc * ic * plain.kernelHeight() * plain.kernelWidth();
    long pixels = (long) plain.batch() * plain.height() * plain.width();
    long outPixels = (long) plain.batch() * plain.outHeight() * plain.outWidth();
    boolean ops = !plain.postOps().isEmpty();
    try (var arena = Arena.ofConfined()) {
      MemorySegment src = Matrices.random(arena, plain.src(), pixels * plain.inChannels(), 1);
      MemorySegment w = Matrices.random(arena, stored, weights, 2);
      MemorySegment dst = Matrices.random(arena, plain.dst(), outPixels * oc, 3);
      MemorySegment before = arena.allocate(dst.byteSize(), 64).copyFrom(dst);
      MemorySegment bias =
          plain.bias() == null ? null : Matrices.random(arena, plain.bias(), oc, 4);
      MemorySegment scales = Matrices.random(arena, F32, oc, 5);
      MemorySegment residual = Matrices.random(arena, plain.dst(), outPixels * oc, 6);
      PackedLayout layout = OneDnn.packedLayout(plain);
      MemorySegment packed = arena.allocate(layout.byteSize(), 64);
      OneDnn.pack(stored, w, layout, packed);
      Operands operands = Operands.bias(bias);
      OneDnn.convolution(
          plain.withLayout(layout),
          src,
          packed,
          dst,
          ops ? operands.withPostOps(scales, residual) : operands);
      for (int at = 0; at < outPixels * oc; at++) {
        int channel = at % oc;
        double x = convolve(plain, stored, src, w, at / oc, channel);
        if (bias != null) {
          x += Matrices.get(bias, plain.bias(), channel);
        }
        if (ops) {
          x += Matrices.get(before, plain.dst(), at);
          x = x / (1 + Math.exp(-x)) * Matrices.get(scales, F32, channel);
          x += Matrices.get(residual, plain.dst(), at);
        }
        // bf16 weights that were stored otherwise are rounded first.
        double rounding =
            plain.dst() != BF16
                ? 0
                : Math.abs(x) / 256 + (stored == plain.weights() ? 0 : ic * 9 / 512.0);
        assertEquals(
            x, Matrices.get(dst, plain.dst(), at), rounding + 2e-6 * ic * 256, plain.toString());
      }
    }
  }

  private static double convolve(
      ConvolutionSpec s, ElementType stored, MemorySegment src, MemorySegment w, int pixel, int o) {
    int x0 = pixel % s.outWidth() * s.stride() - s.padding().left();
    int y0 = pixel / s.outWidth() % s.outHeight() * s.stride() - s.padding().top();
    int n = pixel / s.outWidth() / s.outHeight();
    int ic = s.inChannels();
    double sum = 0;
    for (int y = Math.max(0, -y0); y < s.kernelHeight() && y0 + y < s.height(); y++) {
      for (int x = Math.max(0, -x0); x < s.kernelWidth() && x0 + x < s.width(); x++) {
        for (int i = 0; i < ic; i++) {
          long at = ((long) n * s.height() + y0 + y) * s.width() + x0 + x;
          long wAt = (((long) o * ic + i) * s.kernelHeight() + y) * s.kernelWidth() + x;
          sum +=
              (double) Matrices.get(src, s.src(), at * s.inChannels() + i)
                  * Matrices.get(w, stored, wAt);
        }
      }
    }
    return sum;
  }
}
