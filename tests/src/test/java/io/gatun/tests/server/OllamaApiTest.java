package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.TestData;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Ollama's API.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OllamaApiTest {
  private static final String HELLO =
      "'model': 'tiny-llm:latest', 'messages': [{'role': 'user', 'content': 'Good morrow'}]";

  private static TestServer server;

  @BeforeAll
  static void start() {
    var embedder = TestData.ROOT.resolve("tests/src/test/resources/encoder/minilm-l6");
    server =
        new TestServer(
            o -> o.model(TestData.pretrained("tiny-llm")).model(TestData.complete(embedder)));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static List<JsonNode> lines(String path, String body) {
    var response = server.post(path, body.replace('\'', '"'));
    assertEquals(200, response.statusCode(), response.body());
    return response.body().lines().map(TestServer::json).toList();
  }

  private static String refusal(int status, String path, String body) {
    return server.refusal(status, path, body).textValue();
  }

  @Test
  void chatStreamsByDefaultWhatItWouldAnswerAsAWhole() {
    String options =
        ", 'options': {'temperature': 0, 'num_predict': 12, 'num_ctx': 4096,"
            + " 'ignore_eos': true}";
    var lines = lines("/api/chat", "{" + HELLO + options + "}");
    var whole = server.ask("/api/chat", "{" + HELLO + options + ", 'stream': false}");
    String text =
        lines.stream()
            .map(line -> line.at("/message/content").asText())
            .collect(Collectors.joining());
    assertEquals(whole.at("/message/content").asText(), text);
    assertFalse(text.isEmpty());
    for (var last : List.of(lines.getLast(), whole)) {
      assertTrue(last.path("done").asBoolean());
      assertEquals("length", last.path("done_reason").asText());
      assertEquals(12, last.path("eval_count").asInt());
      assertTrue(last.path("prompt_eval_count").asInt() > 0, last.toString());
      assertTrue(last.path("total_duration").asLong() > last.path("eval_duration").asLong());
    }
    assertFalse(lines.getFirst().path("done").asBoolean());
  }

  @Test
  void generatesInAForm() {
    var answer =
        server.ask(
            "/api/generate",
            "{'model': 'tiny-llm', 'prompt': 'How old?', 'stream': false, 'format': {'type':"
                + " 'object', 'properties': {'age': {'type': 'integer', 'minimum': 1, 'maximum':"
                + " 99}}, 'required': ['age'], 'additionalProperties': false}, 'options': {'seed':"
                + " 1}}");
    assertTrue(TestServer.json(answer.path("response").asText()).path("age").asInt() > 0);
    assertEquals("stop", answer.path("done_reason").asText());
  }

  @Test
  void rawPromptsAreReadAsTheyStand() {
    String prompt = "'model': 'tiny-llm', 'prompt': 'To be', 'stream': false, 'options':";
    int raw =
        server
            .ask("/api/generate", "{" + prompt + " {'num_predict': 1}, 'raw': true}")
            .path("prompt_eval_count")
            .asInt();
    int templated =
        server
            .ask("/api/generate", "{" + prompt + " {'num_predict': 1}, 'system': 'Be brief'}")
            .path("prompt_eval_count")
            .asInt();
    assertTrue(raw < templated, raw + " " + templated);
  }

  @Test
  void aPromptBeyondTheAskedContextIsRefusedWithBothNumbers() {
    String text = "to be or not to be ".repeat(20);
    String said =
        refusal(
            400,
            "/api/generate",
            "{'model': 'tiny-llm', 'prompt': '" + text + "', 'options': {'num_ctx': 32}}");
    assertTrue(said.matches("(?s).*\\d{2,} tokens.*holds 32.*num_ctx.*"), said);
  }

  @Test
  void refusesWhatItWouldIgnore() {
    assertTrue(
        refusal(400, "/api/chat", "{" + HELLO + ", 'options': {'mirostat': 2}}")
            .contains("mirostat"));
    assertTrue(
        refusal(400, "/api/chat", "{" + HELLO + ", 'options': {'magic': 2}}").contains("magic"));
    String prompt = "{'model': 'tiny-llm', 'prompt': 'x'";
    for (String more :
        List.of(
            "'template': '{{ .Prompt }}'",
            "'images': ['aGk=']",
            "'suffix': 'y'",
            "'context': [1, 2]",
            "'raw': true, 'system': 'z'",
            "'format': 'xml'",
            "'keep_alive': 'long'",
            "'think': 'hard'")) {
      String name = more.substring(1, more.indexOf('\'', 1)).replace("raw", "system");
      String said = refusal(400, "/api/generate", prompt + ", " + more + "}");
      assertTrue(said.contains(name), said);
    }
    assertTrue(refusal(404, "/api/chat", "{'model': 'other'}").contains("tiny-llm"));
  }

  @Test
  void modelsComeAndGoAsTheyAreAsked() {
    assertEquals(
        "load", server.ask("/api/chat", "{'model': 'tiny-llm'}").path("done_reason").asText());
    var loaded = TestServer.json(server.get("/api/ps").body()).path("models");
    assertEquals("tiny-llm", loaded.at("/0/name").asText());
    assertEquals(512, loaded.at("/0/context_length").asInt());
    assertEquals(
        "unload",
        server
            .ask("/api/generate", "{'model': 'tiny-llm', 'keep_alive': '0s'}")
            .path("done_reason")
            .asText());
    assertEquals(0, TestServer.json(server.get("/api/ps").body()).path("models").size());
  }

  @Test
  void saysWhatThereIs() {
    var one = TestServer.json(server.get("/api/tags").body()).at("/models/0");
    assertEquals("tiny-llm", one.path("model").asText());
    assertEquals(64, one.path("digest").asText().length());
    var shown = server.ask("/api/show", "{'model': 'tiny-llm'}");
    assertEquals("completion", shown.at("/capabilities/0").asText());
    assertFalse(shown.path("template").asText().isEmpty());
    String family = shown.at("/details/family").asText();
    assertEquals(512, shown.path("model_info").path(family + ".context_length").asInt());
    // Copilot's least.
    assertTrue(
        TestServer.json(server.get("/api/version").body())
            .path("version")
            .asText()
            .matches("0\\.\\d{2,}\\.\\d+"));
  }

  @Test
  void vectorsAreThoseOfTheOtherApi() {
    var expected =
        server.ask("/v1/embeddings", "{'model': 'minilm-l6', 'input': ['the cat', 'a dog']}");
    String model = "{'model': 'minilm-l6', 'keep_alive': 0, ";
    var both = server.ask("/api/embed", model + "'input': ['the cat', 'a dog']}");
    assertEquals(2, both.path("embeddings").size());
    assertEquals(expected.at("/data/1/embedding"), both.at("/embeddings/1"));
    assertEquals(expected.at("/usage/prompt_tokens"), both.path("prompt_eval_count"));
    assertEquals(
        both.at("/embeddings/0").size(),
        server.ask("/api/embeddings", model + "'prompt': 'the cat'}").path("embedding").size());
  }
}
