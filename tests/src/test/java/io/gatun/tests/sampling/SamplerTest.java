package io.gatun.tests.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.sampling.Sampler;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.sampling.SamplingOptions.Penalties;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SamplerTest {
  private static final SamplingOptions ALL = SamplingOptions.GREEDY.withTemperature(1);

  @Test
  void greedyTakesTheHighest() {
    var sampler = new Sampler(SamplingOptions.GREEDY);
    assertEquals(2, sampler.sample(new float[] {-1, 0, 3, 3}));
    assertEquals(0, sampler.sample(new float[] {-1, Float.NaN, Float.NEGATIVE_INFINITY}));
    assertEquals(
        1, sampler.sample(MemorySegment.ofArray(new float[] {-5, -4, Float.NEGATIVE_INFINITY})));
  }

  @Test
  void brokenLogitsAreAnError() {
    var sampler = new Sampler(SamplingOptions.GREEDY);
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY}) {
      assertThrows(
          IllegalStateException.class, () -> sampler.sample(new float[] {bad, bad}), "" + bad);
    }
  }

  @Test
  void frequenciesAreTheProbabilities() {
    float[] logits = {0, 1, 2, Float.NEGATIVE_INFINITY, Float.NaN};
    for (float temperature : new float[] {.5f, 1, 2}) {
      var sampler = new Sampler(ALL.withTemperature(temperature).withSeed(7));
      var counts = new int[5];
      int n = 20_000;
      for (int i = 0; i < n; i++) {
        counts[sampler.sample(logits)]++;
      }
      double sum = 0;
      for (int i = 0; i < 3; i++) {
        sum += Math.exp(i / temperature);
      }
      for (int i = 0; i < 3; i++) {
        double p = Math.exp(i / temperature) / sum;
        double deviation = Math.sqrt(p * (1 - p) / n);
        assertEquals(p, counts[i] / (double) n, 5 * deviation, "T=" + temperature + " id " + i);
      }
      assertEquals(0, counts[3] + counts[4]);
    }
  }

  /// The tokens that can be drawn are those that a plain sort of all tokens leaves.
  @Test
  void filtersKeepWhatAFullSortKeeps() {
    var random = new Random(3);
    for (int round = 0; round < 60; round++) {
      int n = 1 + random.nextInt(60);
      var logits = new float[n];
      for (int i = 0; i < n; i++) {
        logits[i] = random.nextInt(3) == 0 ? random.nextInt(3) : (float) random.nextGaussian() * 2;
      }
      int topK = random.nextBoolean() ? 0 : 1 + random.nextInt(n + 5);
      float topP = random.nextBoolean() ? 1 : .05f + .9f * random.nextFloat();
      float minP = random.nextBoolean() ? 0 : .3f * random.nextFloat();
      var options = ALL.withTopK(topK).withTopP(topP).withMinP(minP).withTemperature(5);
      var sampler = new Sampler(options.withSeed(round));
      var drawn = new TreeSet<Integer>();
      for (int i = 0; i < 60 * n; i++) {
        drawn.add(sampler.sample(logits));
      }
      assertEquals(keptBySorting(logits, topK, topP, minP), drawn, options.toString());
    }
  }

  private static Set<Integer> keptBySorting(float[] logits, int topK, float topP, float minP) {
    int[] order =
        IntStream.range(0, logits.length)
            .boxed()
            .sorted(Comparator.comparing(i -> -logits[i]))
            .mapToInt(i -> i)
            .toArray();
    int count = topK == 0 ? order.length : Math.min(topK, order.length);
    double total = 0;
    for (int i = 0; i < count; i++) {
      total += Math.exp(logits[order[i]]);
    }
    var kept = new TreeSet<Integer>();
    double sum = 0;
    for (int i = 0; i < count && (topP == 1 || sum < topP * total); i++) {
      sum += Math.exp(logits[order[i]]);
      if (Math.exp(logits[order[i]] - logits[order[0]]) >= minP) {
        kept.add(order[i]);
      }
    }
    return kept;
  }

  @Test
  void repeatPenaltyLooksAtRecentTokensOnly() {
    float[] logits = {4, 3, -1};
    var sampler = new Sampler(SamplingOptions.GREEDY.withPenalties(new Penalties(2, 0, 0, 1)));
    sampler.accept(2);
    // 0 is penalized to 2 once chosen, so that 1 comes, and then 0 again.
    int[] chosen = {sampler.sample(logits), sampler.sample(logits), sampler.sample(logits)};
    assertArrayEquals(new int[] {0, 1, 0}, chosen);
    var longer = new Sampler(SamplingOptions.GREEDY.withPenalties(new Penalties(2, 0, 0, 2)));
    longer.accept(0, 1);
    assertEquals(0, longer.sample(new float[] {1, -1, .4f}));
    assertEquals(2, longer.sample(new float[] {1, 1, .6f}));
    assertArrayEquals(new float[] {4, 3, -1}, logits);
  }

  @Test
  void sameSeedSameTokens() {
    var logits = new float[1000];
    var random = new Random(1);
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) random.nextGaussian();
    }
    assertArrayEquals(draw(logits, 5), draw(logits, 5));
    assertNotEquals(Arrays.toString(draw(logits, 5)), Arrays.toString(draw(logits, 6)));
  }

  /// Whoever gives no seed gets another text each time, and can tell how to have it again.
  @Test
  void withoutASeedEachTextHasItsOwn() {
    var sampler = new Sampler(SamplingOptions.DEFAULT);
    assertNotEquals(sampler.seed(), new Sampler(SamplingOptions.DEFAULT).seed());
    var logits = new float[1000];
    int[] drawn = IntStream.range(0, 50).map(i -> sampler.sample(logits)).toArray();
    assertArrayEquals(draw(logits, sampler.seed()), drawn);
    assertEquals(7, new Sampler(SamplingOptions.DEFAULT.withSeed(7)).seed());
  }

  private static int[] draw(float[] logits, long seed) {
    var sampler = new Sampler(SamplingOptions.DEFAULT.withSeed(seed));
    return IntStream.range(0, 50).map(i -> sampler.sample(logits)).toArray();
  }

  @Test
  void optionsOutOfRangeAreRefused() {
    var refused =
        assertThrows(IllegalArgumentException.class, () -> SamplingOptions.DEFAULT.withTopP(1.5f));
    assertEquals("top-p is 1.5; need above 0 and at most 1", refused.getMessage());
    assertThrows(IllegalArgumentException.class, () -> ALL.withTemperature(-1));
    assertThrows(IllegalArgumentException.class, () -> ALL.withTemperature(Float.NaN));
    assertThrows(IllegalArgumentException.class, () -> ALL.withTopK(-1));
    assertThrows(IllegalArgumentException.class, () -> ALL.withMinP(Float.NaN));
    assertThrows(IllegalArgumentException.class, () -> new Penalties(0, 0, 0, 1));
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> new Penalties(1, 0, 0, -2))
            .getMessage()
            .startsWith("repeat last-n"));
  }
}
