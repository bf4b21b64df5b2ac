package io.gatun.tests.sampling;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.sampling.Candidates;
import io.gatun.models.sampling.Sampler;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.sampling.SamplingOptions.Dry;
import io.gatun.models.sampling.SamplingOptions.Penalties;
import io.gatun.models.sampling.TokenLogprobs;
import io.gatun.models.sampling.TokenMask;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// The links of the sampling chain, each beside what its definition says.
class ProcessorsTest {
  private static final SamplingOptions ALL = SamplingOptions.GREEDY.withTemperature(1);
  private static final SamplingOptions GREEDY = SamplingOptions.GREEDY;

  /// Options and their parts hold values of each other: whichever class is used first.
  @Test
  void eachClassMayBeTheFirstToBeUsed() throws Exception {
    var code = SamplingOptions.class.getProtectionDomain().getCodeSource().getLocation();
    for (var first : List.of(SamplingOptions.class, Dry.class, Penalties.class)) {
      try (var loader = new URLClassLoader(new URL[] {code}, null)) {
        assertEquals(loader, Class.forName(first.getName(), true, loader).getClassLoader());
      }
    }
  }

  /// What is subtracted from a token's logit of 0 after a text: found by comparing it with another
  /// token's.
  private static double penalty(SamplingOptions options, int token, int... text) {
    double low = -100;
    double high = 100;
    for (int i = 0; i < 40; i++) {
      double middle = (low + high) / 2;
      var sampler = new Sampler(options);
      sampler.accept(text);
      var logits = new float[10];
      Arrays.fill(logits, Float.NEGATIVE_INFINITY);
      logits[token] = 0;
      logits[9] = (float) middle;
      if (sampler.sample(logits) == 9) {
        high = middle;
      } else {
        low = middle;
      }
    }
    return -high;
  }

  @Test
  void presenceAndFrequencyAreSubtracted() {
    var options = GREEDY.withPenalties(new Penalties(1, .5f, .25f, SamplingOptions.ALL));
    assertEquals(1, penalty(options, 1, 1, 2, 1), 1e-4);
    assertEquals(.75, penalty(options, 2, 1, 2, 1), 1e-4);
    assertEquals(0, penalty(options, 3, 1, 2, 1), 1e-4);
    var recent = GREEDY.withPenalties(new Penalties(1, .5f, .25f, 2));
    assertEquals(.75, penalty(recent, 1, 1, 2, 1), 1e-4);
    assertEquals(0, penalty(GREEDY.withPenalties(new Penalties(9, 9, 9, 0)), 1, 1), 1e-4);
  }

  /// llama.cpp: multiplier * base^(length - allowed), of the longest run.
  @Test
  void dryPenalizesTheContinuationOfARun() {
    var options = GREEDY.withDry(new Dry(.8f, 1.75f, 2, SamplingOptions.ALL, List.of("x")));
    int[] text = {1, 2, 3, 4, 7, 2, 3, 5, 1, 2, 3};
    assertEquals(.8 * 1.75, penalty(options, 4, text), 1e-4); // after 1 2 3
    assertEquals(.8, penalty(options, 5, text), 1e-4); // after 2 3
    assertEquals(0, penalty(options, 7, text), 1e-4);
    var near = GREEDY.withDry(new Dry(.8f, 1.75f, 2, 7, List.of("x")));
    assertEquals(0, penalty(near, 4, text), 1e-4);
    assertEquals(.8, penalty(near, 5, text), 1e-4);
    // One that repeats itself.
    assertEquals(.8 * 1.75, penalty(options, 6, 6, 6, 6, 6), 1e-4);
  }

  @Test
  void dryDoesNotReachOverABreaker() {
    var tokenizer = Tokenizers.load(TestData.pretrained("tiny-llm").resolve("tokenizer.json"));
    int[] text = tokenizer.encode("the king\nthe king", false, false);
    int newline =
        IntStream.range(0, text.length)
            .filter(i -> tokenizer.decode(text[i]).contains("\n"))
            .findFirst()
            .orElseThrow();
    assertTrue(newline >= 2 && text.length >= newline + 3, Arrays.toString(text));
    int[] twice = IntStream.concat(Arrays.stream(text), IntStream.of(text[newline])).toArray();
    for (boolean breaks : new boolean[] {false, true}) {
      var dry = new Dry(5, 1, 2, SamplingOptions.ALL, breaks ? List.of("\n") : List.of("\0"));
      var sampler = new Sampler(GREEDY.withDry(dry), tokenizer, null);
      sampler.accept(twice); // ... the king \n, after which "the" would be a repetition
      var logits = new float[tokenizer.size()];
      logits[text[newline + 1]] = 1;
      logits[0] = .5f;
      assertEquals(breaks ? text[newline + 1] : 0, sampler.sample(logits));
    }
  }

  @Test
  void biasesAreAddedAndRuleOut() {
    var bias = Map.of(1, 2f, 2, Float.NEGATIVE_INFINITY, 3, -5f);
    assertEquals(1, new Sampler(GREEDY.withLogitBias(bias)).sample(new float[] {1, 0, 9, 5}));
    var refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> new Sampler(GREEDY.withLogitBias(Map.of(4, 1f))).sample(new float[4]));
    assertTrue(refused.getMessage().contains("token 4 "), refused.getMessage());
  }

  /// Allows what it is told, and remembers what came.
  private static class Fixed implements TokenMask {
    private final long[] allowed;
    private final List<Integer> accepted = new ArrayList<>();

    Fixed(long... allowed) {
      this.allowed = allowed;
    }

    @Override
    public long[] allowed() {
      return allowed;
    }

    @Override
    public void accept(int token) {
      accepted.add(token);
    }

    @Override
    public boolean finished() {
      return false;
    }
  }

  @Test
  void onlyWhatIsAllowedIsChosen() {
    var mask = new Fixed(0b1010, 0, 1L << 5);
    var sampler = new Sampler(ALL.withSeed(1), null, mask);
    sampler.accept(0); // the prompt is none of its business
    var logits = new float[300];
    Arrays.fill(logits, 200, 300, 50);
    var drawn = new TreeSet<Integer>();
    for (int i = 0; i < 100; i++) {
      drawn.add(sampler.sample(logits));
    }
    assertEquals(new TreeSet<>(List.of(1, 3, 133)), drawn);
    assertEquals(100, mask.accepted.size());
    assertThrows(
        IllegalStateException.class, () -> new Sampler(ALL, null, new Fixed()).sample(logits));
  }

  /// As the definition says, by a full sort.
  @Test
  void typicalTokensAreKept() {
    var random = new Random(5);
    for (int round = 0; round < 30; round++) {
      int n = 2 + random.nextInt(30);
      var logits = new float[n];
      for (int i = 0; i < n; i++) {
        logits[i] = (float) random.nextGaussian() * 3;
      }
      float share = .05f + .9f * random.nextFloat();
      double[] p = softmax(logits);
      double entropy = -Arrays.stream(p).map(x -> x * Math.log(x)).sum();
      var order =
          IntStream.range(0, n)
              .boxed()
              .sorted(Comparator.comparing(i -> Math.abs(-Math.log(p[i]) - entropy)))
              .toList();
      var kept = new TreeSet<Integer>();
      double sum = 0;
      for (int i = 0; i < n && sum <= share; i++) {
        sum += p[order.get(i)];
        kept.add(order.get(i));
      }
      var sampler = new Sampler(ALL.withTypicalP(share).withTemperature(4).withSeed(round));
      var drawn = new TreeSet<Integer>();
      for (int i = 0; i < 100 * n; i++) {
        drawn.add(sampler.sample(logits));
      }
      assertEquals(kept, drawn);
    }
  }

  private static double[] softmax(float[] logits) {
    double sum = 0;
    var p = new double[logits.length];
    for (int i = 0; i < p.length; i++) {
      p[i] = Math.exp(logits[i]);
      sum += p[i];
    }
    for (int i = 0; i < p.length; i++) {
      p[i] /= sum;
    }
    return p;
  }

  @Test
  void logprobsAreOfTheDistributionAsItCame() {
    float[] logits = {1, 3, Float.NEGATIVE_INFINITY, 2, -100};
    double[] p = softmax(logits);
    var segment = MemorySegment.ofArray(logits);
    var scratch = new Candidates(5);
    var two = TokenLogprobs.of(segment, 3, 2, scratch);
    assertArrayEquals(new int[] {1, 3}, two.top());
    assertEquals(Math.log(p[1]), two.topLogprobs()[0], 1e-6);
    assertEquals(two.logprob(), two.topLogprobs()[1]);
    assertEquals(Math.log(p[4]), TokenLogprobs.of(segment, 4, 0, scratch).logprob(), 1e-4);
    assertArrayEquals(new int[] {1, 3, 0, 4}, TokenLogprobs.of(segment, 4, 9, scratch).top());
  }

  /// A large vocabulary, with all that can be asked for: nothing is allocated for a token.
  @Test
  void nothingIsAllocatedForAToken() {
    int n = 150_000;
    var logits = Arena.ofAuto().allocate(ValueLayout.JAVA_FLOAT, n);
    var random = new Random(1);
    for (int i = 0; i < n; i++) {
      logits.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian() * 3);
    }
    var mask = new long[n / 64 + 1];
    Arrays.fill(mask, -1);
    mask[7] = 5;
    var penalties = new Penalties(1.1f, .1f, .1f, 64);
    var all =
        ALL.withPenalties(penalties)
            .withDry(Dry.OFF.withMultiplier(1))
            .withTypicalP(.99f)
            .withTopP(.95f)
            .withMinP(.01f)
            .withSeed(1);
    var scratch = new Candidates(n);
    for (var options : List.of(GREEDY, SamplingOptions.DEFAULT.withSeed(1), ALL, all)) {
      var sampler = new Sampler(options, null, new Fixed(mask) {});
      sampler.accept(new int[100]);
      for (int i = 0; i < 40; i++) {
        sampler.sample(logits, scratch);
      }
      var thread = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
      long before = thread.getCurrentThreadAllocatedBytes();
      int tokens = 20;
      for (int i = 0; i < tokens; i++) {
        sampler.sample(logits, scratch);
      }
      long each = (thread.getCurrentThreadAllocatedBytes() - before) / tokens;
      assertTrue(each < 20_000, options + " allocates " + each + " bytes a token");
    }
  }
}
