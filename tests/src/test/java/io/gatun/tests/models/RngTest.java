package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.diffusion.NormalGenerator;
import io.gatun.models.diffusion.Philox;
import io.gatun.models.diffusion.Rng;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// Where noise comes from: the bits and the numbers made of them.
class RngTest {
  /// The known answers that Random123 ships (kat_vectors).
  @Test
  void philoxBlocks() {
    assertArrayEquals(
        words("6627e8d5 e169c58d bc57ac4c 9b00dbd8"), Philox.block(new int[4], new int[2]));
    assertArrayEquals(
        words("408f276d 41c83b0e a20bc7c6 6d5451fd"),
        Philox.block(words("ffffffff ffffffff ffffffff ffffffff"), words("ffffffff ffffffff")));
    assertArrayEquals(
        words("d16cfe09 94fdcceb 5001e420 24126ea1"),
        Philox.block(words("243f6a88 85a308d3 13198a2e 03707344"), words("a4093822 299f31d0")));
  }

  /// The stream is what its specification says, worked out from the words.
  @Test
  void philoxStream() {
    long seed = 0x123456789ABCDEFL;
    NormalGenerator generator = Rng.PHILOX.seeded(seed);
    for (int call = 0; call < 3; call++) {
      float[] found = generator.next(11);
      for (int i = 0; i < found.length; i++) {
        int[] words =
            Philox.block(
                new int[] {i / 4, 0, call, 0}, new int[] {(int) seed, (int) (seed >>> 32)});
        double u = (Integer.toUnsignedLong(words[i % 4 / 2 * 2]) + 1) / 4294967296.0;
        double phi = Integer.toUnsignedLong(words[i % 4 / 2 * 2 + 1]) / 4294967296.0 * 2 * Math.PI;
        double r = Math.sqrt(-2 * Math.log(u));
        assertEquals(r * (i % 2 == 0 ? Math.cos(phi) : Math.sin(phi)), found[i], 1e-6);
      }
    }
  }

  /// Bit for bit, so that a seed means the same image everywhere.
  @Test
  void philoxNumbersNeverChange() {
    float[] found = Rng.PHILOX.seeded(42).next(5);
    assertArrayEquals(
        new float[] {-0.9701898f, 0.19401896f, -1.2356207f, 1.9239267f, -0.07318151f},
        found,
        Arrays.toString(found));
  }

  @Test
  void numbersAreNormal() {
    for (Rng rng : Rng.values()) {
      float[] x = rng.seeded(5).next(1 << 18);
      double[] moments = new double[5];
      for (float v : x) {
        for (int k = 1; k < moments.length; k++) {
          moments[k] += Math.pow(v, k) / x.length;
        }
      }
      assertEquals(0, moments[1], 0.01, rng + " mean");
      assertEquals(1, moments[2], 0.01, rng + " variance");
      assertEquals(0, moments[3], 0.03, rng + " skewness");
      assertEquals(3, moments[4], 0.06, rng + " kurtosis");
    }
  }

  /// Below 16 numbers to the last bit; above, PyTorch's own polynomials differ in the last digits.
  @Test
  void torchNumbers() throws Exception {
    JsonNode runs;
    try (var in = getClass().getResourceAsStream("/diffusion/torch-randn.json")) {
      runs = new ObjectMapper().readTree(in);
    }
    assertEquals(56, runs.size());
    for (JsonNode run : runs) {
      int size = run.path("size").asInt();
      NormalGenerator generator = Rng.TORCH.seeded(run.path("seed").asLong());
      for (JsonNode call : run.path("calls")) {
        float[] found = generator.next(size);
        for (int i = 0; i < call.size(); i++) {
          int at = i < 20 || size <= 40 ? i : size - 40 + i;
          float expected = call.get(i).floatValue();
          float tolerance = size < 16 ? 0 : 1e-6f;
          assertTrue(
              Math.abs(expected - found[at]) <= tolerance,
              () -> "seed %s, size %d, %d: %s".formatted(run.path("seed"), size, at, found[at]));
        }
      }
    }
  }

  private static int[] words(String hex) {
    return Arrays.stream(hex.split(" ")).mapToInt(w -> Integer.parseUnsignedInt(w, 16)).toArray();
  }
}
