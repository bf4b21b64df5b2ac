package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.TextEmbedder;
import io.gatun.search.Document;
import io.gatun.search.Embedder;
import io.gatun.search.Index;
import io.gatun.search.SearchOptions.Mode;
import io.gatun.server.Server;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Documents of an index behind HTTP.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DocumentsApiTest {
  private static final List<Document> DOCUMENTS =
      List.of(
          new Document("rain.txt", "Clouds.\n\nRain falls over the garden."),
          new Document("fox.md", "A fox jumps over the dog."));

  @TempDir private static Path temp;
  private static Path embedder;
  private static TestServer server;

  private static Path encoder(String name) {
    return TestData.complete(TestData.ROOT.resolve("tests/src/test/resources/encoder/" + name));
  }

  @BeforeAll
  static void start() {
    embedder = encoder("minilm-l6");
    try (var model = TextEmbedder.load(embedder, o -> o.threads(2));
        var index = Index.open(temp, Embedder.of(model, embedder.toString()))) {
      index.add(DOCUMENTS);
    }
    server =
        new TestServer(
            o ->
                o.model(TestData.pretrained("tiny-llm"))
                    .model(encoder("bert-reranker"))
                    .index(temp));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static List<String> sources(JsonNode passages) {
    var all = new ArrayList<String>();
    passages.forEach(one -> all.add(one.path("source").asText()));
    return all;
  }

  @Test
  void passagesAreThoseOfTheIndex() {
    var words = server.ask("/v1/search", "{'query': 'where does rain fall', 'mode': 'words'}");
    assertEquals(List.of("rain.txt"), sources(words.path("results")));
    var first = words.at("/results/0");
    assertEquals("Clouds.\n\nRain falls over the garden.", first.path("text").asText());
    assertEquals(1, first.path("number").asInt());
    assertEquals("rain.txt:1", first.path("place").asText());
    assertEquals(0, first.path("start").asInt());
    assertEquals(36, first.path("end").asInt());
    assertEquals(1, first.path("word_rank").asInt());
    assertFalse(first.has("vector_rank"));

    try (var model = TextEmbedder.load(embedder, o -> o.threads(2));
        var index = Index.open(temp, Embedder.of(model, embedder.toString()))) {
      for (var mode : List.of(Mode.HYBRID, Mode.VECTORS)) {
        var expected = index.search("rain over dogs", o -> o.mode(mode));
        var found =
            server.ask(
                "/v1/search",
                "{'query': 'rain over dogs', 'mode': '%s'}"
                    .formatted(mode)
                    .toLowerCase(Locale.ROOT));
        assertEquals("minilm-l6", found.path("model").asText());
        assertEquals(2, expected.size());
        for (int i = 0; i < 2; i++) {
          var one = found.at("/results/" + i);
          assertEquals(expected.get(i).source(), one.path("source").asText());
          assertEquals(expected.get(i).score(), one.path("score").asDouble(), 1e-9);
        }
      }
    }
    var best = server.ask("/v1/search", "{'query': 'rain over dogs', 'top_n': 1}");
    assertEquals(1, best.path("results").size());
    var none = server.ask("/v1/search", "{'query': 'zebra', 'mode': 'words'}");
    assertEquals(0, none.path("results").size());
  }

  /// The reranker's scores are those of /v1/rerank, and they decide.
  @Test
  void passagesAreSortedByAReranker() {
    var texts = DOCUMENTS.stream().map(d -> TestServer.JSON.valueToTree(d.text())).toList();
    var alone =
        server.ask("/v1/rerank", "{'query': 'rain', 'documents': " + texts + "}").path("results");
    for (String which : List.of("true", "'bert-reranker'")) {
      var found =
          server
              .ask("/v1/search", "{'query': 'rain', 'mode': 'vectors', 'rerank': " + which + "}")
              .path("results");
      for (int i = 0; i < 2; i++) {
        assertEquals(
            DOCUMENTS.get(alone.get(i).path("index").asInt()).source(),
            found.get(i).path("source").asText());
        assertEquals(
            alone.get(i).path("relevance_score").asDouble(),
            found.get(i).path("score").asDouble(),
            1e-5);
      }
    }
  }

  @Test
  void documentsAreListed() {
    var list = TestServer.json(server.get("/v1/documents").body());
    assertEquals(2, list.path("documents").asInt());
    assertEquals(2, list.path("passages").asInt());
    assertEquals(List.of("fox.md", "rain.txt"), sources(list.path("data")));
    assertFalse(list.path("has_more").asBoolean());
    var rest = TestServer.json(server.get("/v1/documents?after=fox.md").body());
    assertEquals(List.of("rain.txt"), sources(rest.path("data")));
    assertEquals(400, server.get("/v1/documents?before=x").statusCode());
  }

  /// A page of the list holds a hundred.
  @Test
  void aLongListComesInPages(@TempDir Path folder) {
    try (var index = Index.open(folder, null)) {
      index.add(
          IntStream.range(0, 150)
              .mapToObj(i -> new Document("%03d".formatted(i), "text " + i))
              .toList());
      try (var long150 =
          new TestServer(o -> o.model(TestData.pretrained("tiny-llm")).index(folder))) {
        var first = TestServer.json(long150.get("/v1/documents").body());
        assertEquals(100, first.path("data").size());
        assertTrue(first.path("has_more").asBoolean());
        assertTrue(first.path("model").isNull());
        var second = TestServer.json(long150.get("/v1/documents?after=099").body());
        assertEquals(50, second.path("data").size());
        assertFalse(second.path("has_more").asBoolean());

        // What is written meanwhile is found.
        index.add(List.of(new Document("new", "a zebra")));
        var found = long150.ask("/v1/search", "{'query': 'zebra'}");
        assertEquals(List.of("new"), sources(found.path("results")));

        var refusal = long150.refusal(400, "/v1/search", "{'query': 'zebra', 'mode': 'vectors'}");
        assertEquals("mode", refusal.path("param").asText());
      }
    }
  }

  /// Chat answers from passages: the same as when it is asked with the prompt that has them.
  @Test
  void chatAnswersFromPassages() {
    String ask =
        "{'messages': [{'role': 'user', 'content': 'where does rain fall'}], 'max_tokens': 8,"
            + " 'temperature': 0, 'search': {'mode': 'words'}";
    var whole = server.ask("/v1/chat/completions", ask + "}");
    assertEquals(List.of("rain.txt"), sources(whole.path("sources")));
    assertEquals(1, whole.at("/sources/0/number").asInt());
    var prompt = whole.at("/usage/prompt_tokens").asInt();
    var plain = server.ask("/v1/chat/completions", ask.replaceFirst(", 'search.*", "}"));
    assertTrue(prompt > plain.at("/usage/prompt_tokens").asInt() + 20, "no passage was read");
    assertFalse(plain.has("sources"));

    var events = server.events("/v1/chat/completions", ask + ", 'stream': true}");
    assertEquals(List.of("rain.txt"), sources(events.getFirst().path("sources")));
    assertFalse(events.get(1).has("sources"));
    var text = new StringBuilder();
    events.forEach(event -> text.append(event.at("/choices/0/delta/content").asText("")));
    assertEquals(whole.at("/choices/0/message/content").asText(), text.toString());

    var nothing =
        server.ask("/v1/chat/completions", ask.replace("where does rain fall", "zebra") + "}");
    assertEquals(0, nothing.path("sources").size());
    assertTrue(nothing.has("sources"));
    assertEquals(
        plain.has("sources"),
        server
            .ask("/v1/chat/completions", ask.replace("{'mode': 'words'}", "false") + "}")
            .has("sources"));
  }

  @Test
  void mistakes() {
    for (String[] one :
        new String[][] {
          {"query", "{}"},
          {"query", "{'query': 3}"},
          {"mode", "{'query': 'a', 'mode': 'best'}"},
          {"top_n", "{'query': 'a', 'top_n': 0}"},
          {"candidates", "{'query': 'a', 'candidates': 100000}"},
          {"rerank", "{'query': 'a', 'rerank': 1}"},
          {"model", "{'query': 'a', 'rerank': 'tiny-llm'}"},
          {"k", "{'query': 'a', 'k': 3}"},
          {null, "{'query': ' '}"},
        }) {
      var refusal = server.refusal(400, "/v1/search", one[1]);
      assertEquals(one[0], refusal.path("param").textValue(), refusal.toString());
      assertEquals("invalid_request_error", refusal.path("type").asText());
    }
    server.refusal(404, "/v1/search", "{'query': 'a', 'rerank': 'no-such'}");
    String chat = "{'messages': [{'role': '%s', 'content': '%s'}], 'search': %s}";
    server.refusal(400, "/v1/chat/completions", chat.formatted("assistant", "rain", "true"));
    server.refusal(400, "/v1/chat/completions", chat.formatted("user", " ", "true"));
    server.refusal(400, "/v1/chat/completions", chat.formatted("user", "rain", "{'k': 1}"));
    server.refusal(400, "/v1/chat/completions", chat.formatted("user", "rain", "'yes'"));
    String many = "rain ".repeat(600);
    var query = server.refusal(400, "/v1/search", "{'query': '" + many + "'}");
    assertTrue(query.path("message").asText().contains("ask in fewer words"), query.toString());
    var room =
        server.refusal(
            400, "/v1/chat/completions", chat.formatted("user", many, "{'mode': 'words'}"));
    assertTrue(room.path("message").asText().contains("there is room for"), room.toString());
  }

  @Test
  void aServerWithoutDocumentsSaysSo() {
    try (var plain = new TestServer(o -> o.model(TestData.pretrained("tiny-llm")))) {
      var refusal = plain.refusal(404, "/v1/search", "{'query': 'rain'}");
      assertEquals("no_index", refusal.path("code").asText());
      assertTrue(refusal.path("message").asText().contains("--index"), refusal.toString());
      assertEquals(404, plain.get("/v1/documents").statusCode());
      String chat = "{'messages': [{'role': 'user', 'content': 'rain'}], 'max_tokens': 1";
      var asked = plain.refusal(400, "/v1/chat/completions", chat + ", 'search': {'top_n': 2}}");
      assertEquals("search", asked.path("param").asText());
      assertNull(plain.ask("/v1/chat/completions", chat + ", 'search': false}").get("sources"));
    }
  }

  @Test
  void wrongIndexes(@TempDir Path folder) throws Exception {
    Files.createDirectory(folder.resolve("empty"));
    for (String name : List.of("empty", "gone")) {
      var e =
          assertThrows(
              IllegalArgumentException.class,
              () ->
                  Server.start(
                      o -> o.model(TestData.pretrained("tiny-llm")).index(folder.resolve(name))));
      assertTrue(e.getMessage().contains("holds no index"), e.getMessage());
    }
    var other =
        assertThrows(
            IllegalArgumentException.class,
            () -> Server.start(o -> o.index(temp).embedder(encoder("qwen3-embedding"))));
    assertTrue(other.getMessage().contains("was made with the embedder"), other.getMessage());
    var alone =
        assertThrows(
            IllegalArgumentException.class,
            () -> Server.start(o -> o.model(embedder).embedder(embedder)));
    assertTrue(alone.getMessage().contains("no index"), alone.getMessage());
  }
}
