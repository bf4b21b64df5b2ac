package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.evaluation.MultipleChoice;
import io.gatun.models.evaluation.TextComparison;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Language models compared, against plain logits; questions, against the sums and choices of
/// transformers and lm-evaluation-harness's rules.
class EvaluationTest {
  private static void exact(LlmOptions o) {
    o.backend(Backend.VECTOR).precision(Precision.F32).kv(DType.Plain.F32).threads(2);
  }

  private static void rough(LlmOptions o) {
    o.backend(Backend.VECTOR).precision(Precision.FAST).kv(DType.Plain.I8).threads(2);
  }

  private static Llm tiny(Consumer<LlmOptions> choose) {
    return Llm.load(TestData.pretrained("tiny-llm"), choose);
  }

  private static double[] logProbabilities(float[] logits) {
    double sum = 0;
    for (float x : logits) {
      sum += Math.exp(x);
    }
    double norm = Math.log(sum);
    var p = new double[logits.length];
    for (int i = 0; i < p.length; i++) {
      p[i] = logits[i] - norm;
    }
    return p;
  }

  private static int best(double[] p) {
    int best = 0;
    for (int i = 0; i < p.length; i++) {
      best = p[i] > p[best] ? i : best;
    }
    return best;
  }

  /// A text of three turns in one window, with a model that rounds its cache.
  @Test
  void figuresAreThoseOfTheLogits() throws IOException {
    String text = Files.readString(TestData.pretrained("tiny-llm/heldout.txt")).substring(0, 800);
    try (var first = tiny(EvaluationTest::exact);
        var second = tiny(EvaluationTest::rough);
        var comparison = new TextComparison(List.of(first, second))) {
      var figures = comparison.read(text, 512, (done, all) -> {});
      int[] ids = first.tokenizer().encode(text, true, false);
      assertTrue(ids.length > 257, "three turns");
      int n = ids.length - 1;
      var differences = new double[n];
      double nll = 0;
      double divergence = 0;
      int same = 0;
      try (var a = first.newSession();
          var b = second.newSession()) {
        for (int t = 0; t < n; t++) {
          double[] p = logProbabilities(a.feed(ids[t]));
          double[] q = logProbabilities(b.feed(ids[t]));
          nll -= p[ids[t + 1]];
          differences[t] = p[ids[t + 1]] - q[ids[t + 1]];
          same += best(p) == best(q) ? 1 : 0;
          for (int v = 0; v < p.length; v++) {
            divergence += Math.exp(p[v]) * (p[v] - q[v]);
          }
        }
      }
      var reference = figures.get(0);
      var rough = figures.get(1);
      assertEquals(n, reference.nll().count());
      assertEquals(nll / n, reference.nll().value(), 1e-5);
      assertEquals(0, reference.divergence().value());
      assertEquals(1, reference.agreement().value());
      assertTrue(rough.divergence().value() > 1e-6, "they are different models");
      assertEquals(divergence / n, rough.divergence().value(), 0.02 * divergence / n);
      assertEquals(same, rough.agreement().value() * n, 1.5);
      double mean = Arrays.stream(differences).average().orElseThrow();
      double squares = Arrays.stream(differences).map(d -> (d - mean) * (d - mean)).sum();
      double error = Math.sqrt(squares / (n - 1) / n);
      assertEquals(mean, rough.difference().value(), 0.1 * error);
      assertEquals(error, rough.difference().error(), 0.05 * error);
      assertEquals(Math.exp(rough.difference().value()), rough.ratio().value(), 1e-12);
      assertEquals(1.959964 * rough.ratio().error(), rough.ratio().margin(), 1e-12);
    }
  }

  /// Windows that overlap count what [Llm#perplexity] counts.
  @Test
  void windowsAreThoseOfPerplexity() throws IOException {
    String text = Files.readString(TestData.pretrained("tiny-llm/heldout.txt")).substring(0, 1500);
    try (var llm = tiny(EvaluationTest::exact);
        var comparison = new TextComparison(List.of(llm))) {
      var expected = llm.perplexity(text, o -> o.window(200));
      var found = comparison.read(text, 200, (done, all) -> {}).getFirst();
      assertEquals(expected.tokens(), found.nll().count());
      assertEquals(expected.perplexity(), found.perplexity().value(), 1e-3);
    }
  }

  @Test
  void otherVocabulariesAreRefused() {
    Path other = TestData.shared("llm-formats");
    try (var stream = Files.walk(other);
        var first = tiny(EvaluationTest::exact)) {
      Path gguf =
          stream.filter(f -> f.toString().endsWith(".gguf")).sorted().findFirst().orElseThrow();
      try (var second = Llm.load(gguf, EvaluationTest::exact)) {
        var e =
            assertThrows(
                IllegalArgumentException.class, () -> new TextComparison(List.of(first, second)));
        assertTrue(e.getMessage().contains("vocabulary of"), e.getMessage());
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  static Stream<Path> choices() throws IOException {
    try (var files = Files.list(TestData.shared("choices"))) {
      return files.sorted().toList().stream();
    }
  }

  @ParameterizedTest
  @MethodSource("choices")
  void questionsAreJudgedAsByTheHarness(Path file) throws IOException {
    var questions = MultipleChoice.read(file);
    List<String> lines = Files.readAllLines(file);
    assertEquals(lines.size(), questions.size());
    double right = 0;
    double normalized = 0;
    try (var llm = tiny(EvaluationTest::exact)) {
      for (int i = 0; i < lines.size(); i++) {
        JsonNode golden = new ObjectMapper().readTree(lines.get(i));
        var question = questions.get(i);
        right += golden.get("acc").asInt();
        normalized += golden.get("acc_norm").asInt();
        double[] logp = question.logProbabilities(llm);
        for (int e = 0; e < logp.length; e++) {
          assertEquals(golden.get("logp").get(e).asDouble(), logp[e], 1e-3, question.context());
        }
      }
      var figures = MultipleChoice.ask(llm, questions, done -> {});
      assertEquals(right / lines.size(), figures.accuracy().value(), 1e-12);
      assertEquals(normalized / lines.size(), figures.normalized().value(), 1e-12);
    }
  }

  @Test
  void whatIsNoQuestionIsRefusedByItsLine(@TempDir Path temp) throws IOException {
    String good = "{\"ctx\": \"a\", \"endings\": [\"b\", \"c\"], \"label\": 1}\n";
    for (String[] bad :
        new String[][] {
          {"{\"ctx\": \"a\", \"endings\": [\"b\", \"c\"], \"label\": 2}", "label"},
          {"{\"ctx\": \"a\", \"endings\": [\"b\", \"c\"]}", "label"},
          {"{\"ctx\": \"a\", \"endings\": [\"b\"], \"label\": 0}", "endings"},
          {"{\"endings\": [\"b\", \"c\"], \"label\": 0}", "ctx"},
          {"{\"ctx\"", "end-of-input"}
        }) {
      Path file = Files.writeString(temp.resolve("bad.jsonl"), good + bad[0] + "\n");
      var e = assertThrows(IllegalArgumentException.class, () -> MultipleChoice.read(file));
      assertTrue(e.getMessage().contains("bad.jsonl:2: "), e.getMessage());
      assertTrue(e.getMessage().contains(bad[1]), e.getMessage());
    }
    Path empty = Files.writeString(temp.resolve("empty.jsonl"), "\n");
    assertThrows(IllegalArgumentException.class, () -> MultipleChoice.read(empty));
  }
}
