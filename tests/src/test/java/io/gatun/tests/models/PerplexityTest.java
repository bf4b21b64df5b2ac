package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.Perplexity;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Log-probabilities and perplexity against the recorded ones and against plain logits.
class PerplexityTest {
  private static Llm tiny(Consumer<LlmOptions> choose) {
    return Llm.load(TestData.pretrained("tiny-llm"), choose);
  }

  private static Consumer<LlmOptions> exact(Backend backend) {
    return o -> o.backend(backend).precision(Precision.F32).kv(DType.Plain.F32).threads(2);
  }

  @ParameterizedTest
  @CsvSource({"VECTOR, F32, F32, 1e-3", "NATIVE, F32, F32, 1e-3", "NATIVE, FAST, F16, 0.05"})
  void ofTheHeldOutText(Backend backend, Precision precision, DType.Plain kv, double tolerance)
      throws IOException {
    var golden =
        new ObjectMapper()
            .readTree(TestData.pretrained("tiny-llm/goldens.json").toFile())
            .at("/perplexity/perplexity")
            .asDouble();
    String text = Files.readString(TestData.pretrained("tiny-llm/heldout.txt"));
    try (var llm = tiny(o -> o.backend(backend).precision(precision).kv(kv).threads(2))) {
      assertEquals(golden, llm.perplexity(text).perplexity(), tolerance);
    }
  }

  /// How much quantizing costs: on bf16's perplexity, int4 at most 1%, int8 at most 0.3%.
  @ParameterizedTest
  @CsvSource({"4, 0.01", "8, 0.003"})
  void quantizedWeightsPredictNearlyAsWell(int bits, double most, @TempDir Path temp)
      throws IOException {
    String text = Files.readString(TestData.pretrained("tiny-llm/heldout.txt"));
    Path out = temp.resolve("quantized");
    try (var checkpoint = Checkpoint.open(TestData.pretrained("tiny-llm"));
        var workers = new Workers(2)) {
      Rewrite.quantized(checkpoint, new DType.Tiled(bits, 32)).write(out, workers, n -> {});
    }
    try (var bf16 = tiny(o -> o.threads(2));
        var quantized = Llm.load(out, o -> o.threads(2))) {
      double before = bf16.perplexity(text).perplexity();
      double after = quantized.perplexity(text).perplexity();
      System.out.printf(
          Locale.ROOT,
          "perplexity of tiny-llm: bf16 %.4f, int%d in groups of 32 %.4f (%+.2f%%)%n",
          before,
          bits,
          after,
          100 * (after / before - 1));
      assertTrue(after < before * (1 + most), before + " became " + after);
    }
  }

  /// How much keys and values of 8 bits cost: at most 0.1%.
  @Test
  void integersInTheCachePredictNearlyAsWell() throws IOException {
    String text = Files.readString(TestData.pretrained("tiny-llm/heldout.txt"));
    try (var f16 = tiny(o -> o.threads(2));
        var int8 = tiny(o -> o.threads(2).kv(DType.Plain.I8))) {
      double before = f16.perplexity(text).perplexity();
      double after = int8.perplexity(text).perplexity();
      System.out.printf(
          Locale.ROOT,
          "perplexity of tiny-llm: f16 cache %.4f, int8 cache %.4f (%+.3f%%)%n",
          before,
          after,
          100 * (after / before - 1));
      assertEquals(before, after, before * 0.001);
    }
  }

  @Test
  void aFullContextCanShift() {
    try (var llm = tiny(o -> o.context(32).threads(2))) {
      var ends = llm.generate("ROMEO:", o -> o.maxTokens(80).sampling(SamplingOptions.GREEDY));
      assertEquals(Generation.Reason.CONTEXT, ends.reason());
      var goesOn =
          llm.generate(
              "ROMEO:", o -> o.maxTokens(80).sampling(SamplingOptions.GREEDY).contextShift(true));
      assertEquals(Generation.Reason.LENGTH, goesOn.reason());
      assertEquals(80, goesOn.ids().length);
      assertTrue(goesOn.text().startsWith(ends.text()), goesOn.text());
    }
  }

  @Test
  void scoresAreThoseOfTheLogits() {
    try (var llm = tiny(exact(Backend.VECTOR));
        var session = llm.newSession();
        var stepwise = llm.newSession()) {
      int[] ids = llm.tokenizer().encode("First Citizen:\nBefore we proceed any further, hear me.");
      float[] scores = session.score(ids, 3);
      assertEquals(ids.length - 3, scores.length);
      assertEquals(ids.length - 1, session.tokens().length);
      stepwise.feed(ids[0], ids[1]);
      for (int i = 3; i < ids.length; i++) {
        assertEquals(logSoftmax(stepwise.feed(ids[i - 1]), ids[i]), scores[i - 3], 1e-3);
      }
    }
  }

  @Test
  void longTextsAreReadInChunks() throws IOException {
    String text = Files.readString(TestData.pretrained("tiny-llm/heldout.txt"));
    try (var llm = tiny(exact(Backend.NATIVE).andThen(o -> o.context(1200)));
        var whole = llm.newSession();
        var parts = llm.newSession()) {
      int[] ids = Arrays.copyOf(llm.tokenizer().encode(text), 1201);
      float[] scores = whole.score(ids, 1);
      assertEquals(1200, scores.length);
      float[] first = parts.score(Arrays.copyOf(ids, 701), 600);
      float[] second = parts.score(Arrays.copyOfRange(ids, 700, 1201), 1);
      for (int i = 600; i <= 1200; i++) {
        float found = i <= 700 ? first[i - 600] : second[i - 701];
        assertEquals(scores[i - 1], found, 1e-3, "token " + i);
      }
    }
  }

  @Test
  void tellsItsProgress() {
    String text = "KING RICHARD II:\nI am a king, and I am not a king.\n";
    try (var llm = tiny(exact(Backend.VECTOR))) {
      var seen = new ArrayList<Perplexity>();
      var result = llm.perplexity(text, o -> o.window(8).stride(4).progress(seen::add));
      int tokens = llm.tokenizer().encode(text).length - 1;
      assertEquals(tokens, result.tokens());
      assertEquals(8, seen.getFirst().tokens());
      assertEquals(12, seen.get(1).tokens());
      assertEquals(result, seen.getLast());
      assertEquals(text.length(), result.bytes());
      assertTrue(result.read() > tokens, "windows overlap");
      assertTrue(result.toString().matches("perplexity \\d+\\.\\d{4} \\(.*\\) of \\d+ tokens"));
    }
  }

  @Test
  void refusesWhatCannotBeMeasured() {
    try (var llm = tiny(exact(Backend.VECTOR));
        var session = llm.newSession()) {
      assertThrows(IllegalArgumentException.class, () -> llm.perplexity(""));
      assertThrows(IllegalArgumentException.class, () -> session.score(new int[] {0}, 1));
      assertThrows(IllegalArgumentException.class, () -> session.score(new int[] {0, 5}, 0));
      assertThrows(IllegalArgumentException.class, () -> session.score(new int[514], 1));
      assertThrows(IllegalArgumentException.class, () -> session.score(new int[] {0, 1024}, 1));
    }
  }

  private static double logSoftmax(float[] logits, int id) {
    double max = Double.NEGATIVE_INFINITY;
    for (float x : logits) {
      max = Math.max(max, x);
    }
    double sum = 0;
    for (float x : logits) {
      sum += Math.exp(x - max);
    }
    return logits[id] - max - Math.log(sum);
  }
}
