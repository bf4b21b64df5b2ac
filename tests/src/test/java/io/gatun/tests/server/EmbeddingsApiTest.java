package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.tests.TestData;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Vectors of texts, and how well texts answer a query.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EmbeddingsApiTest {
  private static final String PATH = "/v1/embeddings";
  private static final Path BERT = model("minilm-l6");
  private static final Path QWEN = model("qwen3-embedding");
  private static final Path RERANKER = model("bert-reranker");

  private static TestServer server;

  private static Path model(String name) {
    return TestData.complete(
        TestData.ROOT.resolve("tests/src/test/resources/encoder").resolve(name));
  }

  @BeforeAll
  static void start() {
    server = new TestServer(o -> o.model(BERT).model(QWEN).model(RERANKER));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static float[] vector(JsonNode one) {
    var vector = new float[one.path("embedding").size()];
    for (int i = 0; i < vector.length; i++) {
      vector[i] = one.path("embedding").get(i).floatValue();
    }
    return vector;
  }

  @Test
  void vectorsAreThoseOfTheEmbedder() {
    try (var embedder = TextEmbedder.load(BERT, o -> o.threads(2))) {
      var texts = List.of("the cat", "a dog");
      float[][] expected = embedder.embed(texts);
      var answer = server.ask(PATH, "{'model': 'minilm-l6', 'input': ['the cat', 'a dog']}");
      assertArrayEquals(expected[0], vector(answer.at("/data/0")), 1e-5f);
      assertArrayEquals(expected[1], vector(answer.at("/data/1")), 1e-5f);
      assertEquals(1, answer.at("/data/1/index").asInt());
      var ids = embedder.encode(texts, null);
      int tokens = ids.get(0).length + ids.get(1).length;
      assertEquals(tokens, answer.at("/usage/prompt_tokens").asInt());
      var one = server.ask(PATH, "{'input': 'the cat'}");
      assertEquals("minilm-l6", one.path("model").asText());
      assertArrayEquals(expected[0], vector(one.at("/data/0")), 1e-5f);
      for (String input :
          new String[] {Arrays.toString(ids.get(0)), "[" + Arrays.toString(ids.get(0)) + "]"}) {
        var asTokens = server.ask(PATH, "{'input': " + input + "}");
        assertArrayEquals(expected[0], vector(asTokens.at("/data/0")), 1e-5f);
      }
      var coded = server.ask(PATH, "{'input': 'the cat', 'encoding_format': 'base64'}");
      byte[] bytes = Base64.getDecoder().decode(coded.at("/data/0/embedding").asText());
      var decoded = new float[bytes.length / 4];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(decoded);
      assertArrayEquals(expected[0], decoded, 1e-5f);
    }
  }

  @Test
  void vectorsAreCutWhereTheModelIsMadeForIt() {
    String asked = "{'model': 'qwen3-embedding', 'input': 'rain'";
    float[] whole = vector(server.ask(PATH, asked + "}").at("/data/0"));
    float[] part = vector(server.ask(PATH, asked + ", 'dimensions': 40}").at("/data/0"));
    assertEquals(48, whole.length);
    assertEquals(40, part.length);
    double squares = 0;
    for (float v : part) {
      squares += v * v;
    }
    assertEquals(1, squares, 1e-5);
    assertEquals(whole[0] / whole[1], part[0] / part[1], 1e-4 * Math.abs(whole[0] / whole[1]));
    var error = server.refusal(400, PATH, asked + ", 'dimensions': 8}");
    assertEquals("dimensions", error.path("param").asText());
    server.refusal(400, PATH, asked + ", 'dimensions': 49}");
    server.refusal(400, PATH, "{'model': 'minilm-l6', 'input': 'a', 'dimensions': 16}");
    server.ask(PATH, "{'model': 'minilm-l6', 'input': 'a', 'dimensions': 32}");
  }

  @Test
  void refusesByName() {
    for (String more :
        new String[] {
          "'encoding_format': 'int8'", "'dimensions': 'x'", "'prompt_name': 'poem'", "'truncate': 1"
        }) {
      var error = server.refusal(400, PATH, "{'input': 'a', " + more + "}");
      assertEquals(more.substring(1, more.indexOf('\'', 1)), error.path("param").asText());
    }
    server.refusal(400, PATH, "{}");
    server.refusal(400, PATH, "{'input': []}");
    server.refusal(400, PATH, "{'input': [99999]}");
    server.refusal(400, PATH, "{'input': [['a']]}");
    String message =
        server
            .refusal(400, PATH, "{'input': '" + "the cat ".repeat(300) + "'}")
            .path("message")
            .asText();
    assertTrue(message.matches(".*has \\d{3,} tokens; the model reads \\d+ .*"), message);
    String second = "{'input': ['a', '" + "the cat ".repeat(300) + "']}";
    assertTrue(server.refusal(400, PATH, second).path("message").asText().startsWith("text 2 has"));
    server.refusal(400, PATH, "{'model': 'bert-reranker', 'input': 'a'}");
    server.refusal(404, PATH, "{'model': 'gpt', 'input': 'a'}");
  }

  @Test
  void theEndIsCutOffIfTheClientAsksForIt() {
    try (var embedder = TextEmbedder.load(BERT, o -> o.threads(2).truncate(true))) {
      String text = "the cat ".repeat(300);
      float[] expected = embedder.embed(List.of(text))[0];
      var answer = server.ask(PATH, "{'truncate': true, 'input': ['a', '" + text + "']}");
      assertArrayEquals(expected, vector(answer.at("/data/1")), 1e-5f);
      assertEquals(1, answer.path("warnings").size());
      assertTrue(answer.at("/warnings/0").asText().startsWith("text 2 has"), answer.toString());
      String asked = "{'model': 'minilm-l6', 'input': '" + text + "'";
      var cut = server.ask("/api/embed", asked + ", 'truncate': true}");
      assertEquals(embedder.maxTokens(), cut.path("prompt_eval_count").asInt());
      assertEquals(answer.at("/data/1/embedding"), cut.at("/embeddings/0"));
      server.refusal(400, "/api/embed", asked + "}");
    }
  }

  @Test
  void soManyWaitAndNoMore() throws Exception {
    try (var busy = new TestServer(o -> o.model(BERT).parallel(1).queue(1));
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      busy.ask(PATH, "{'input': 'a'}");
      String body = "{\"input\": [" + "\"the cat and a dog\", ".repeat(2000) + "\"rain\"]}";
      var asked = new ArrayList<Future<HttpResponse<String>>>();
      for (int i = 0; i < 12; i++) {
        asked.add(threads.submit(() -> busy.post(PATH, body)));
      }
      int refused = 0;
      for (var each : asked) {
        var answer = each.get();
        if (answer.statusCode() == 429) {
          refused++;
          assertEquals("1", answer.headers().firstValue("Retry-After").orElse(""));
        } else {
          assertEquals(200, answer.statusCode());
        }
      }
      assertTrue(refused > 0 && refused < 12, refused + " refused");
    }
  }

  @Test
  void scoresAreThoseOfTheReranker() {
    var documents = List.of("the cat", "a dog and a cat", "rain");
    String asked =
        "{'query': 'a cat', 'documents': ['the cat', {'text': 'a dog and a cat'}, 'rain']";
    try (var reranker = Reranker.load(RERANKER, o -> o.threads(2))) {
      var expected = reranker.judge("a cat", documents);
      var answer = server.ask("/v1/rerank", asked + "}");
      assertEquals("bert-reranker", answer.path("model").asText());
      assertEquals(3, answer.path("results").size());
      double before = Double.MAX_VALUE;
      for (var one : answer.path("results")) {
        double score = one.path("relevance_score").asDouble();
        assertEquals(expected.scores()[one.path("index").asInt()], score, 1e-6);
        assertTrue(score <= before, answer.toString());
        assertFalse(one.has("document"));
        before = score;
      }
      assertEquals(expected.tokens(), answer.at("/usage/total_tokens").asInt());
      var best = server.ask("/v1/rerank", asked + ", 'top_n': 1, 'return_documents': true}");
      assertEquals(1, best.path("results").size());
      assertEquals(
          documents.get(best.at("/results/0/index").asInt()),
          best.at("/results/0/document/text").asText());
      assertEquals(answer.at("/results/0/index"), best.at("/results/0/index"));
    }
    server.refusal(400, "/v1/rerank", "{'query': 'a'}");
    server.refusal(400, "/v1/rerank", "{'documents': ['a']}");
    server.refusal(400, "/v1/rerank", "{'query': 'a', 'documents': [1]}");
    server.refusal(400, "/v1/rerank", asked + ", 'top_n': 0}");
    server.refusal(400, "/v1/rerank", asked + ", 'max_chunks_per_doc': 1}");
  }
}
