package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.TestData;
import java.time.Duration;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// OpenAI's chat completions.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ChatApiTest {
  private static final String PATH = "/v1/chat/completions";

  private static final String HELLO =
      "'model': 'tiny-llm', 'temperature': 0, 'messages': [{'role': 'user', 'content': 'Good"
          + " morrow'}]";

  private static TestServer server;

  @BeforeAll
  static void start() {
    server = new TestServer(o -> o.model(TestData.pretrained("tiny-llm")));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static JsonNode chat(String more) {
    return server.ask(PATH, "{" + HELLO + more + "}");
  }

  @Test
  void streamsWhatItWouldAnswerAsAWhole() {
    var whole = chat(", 'max_tokens': 12, 'ignore_eos': true");
    assertEquals("chat.completion", whole.path("object").asText());
    assertEquals("length", whole.at("/choices/0/finish_reason").asText());
    assertEquals(12, whole.at("/usage/completion_tokens").asInt());
    var events =
        server.events(
            PATH,
            "{"
                + HELLO
                + ", 'max_tokens': 12, 'ignore_eos': true, 'stream': true, 'stream_options':"
                + " {'include_usage': true}}");
    String text =
        events.stream()
            .map(event -> event.at("/choices/0/delta/content").asText())
            .collect(Collectors.joining());
    assertEquals(whole.at("/choices/0/message/content").asText(), text);
    assertEquals("length", events.get(events.size() - 2).at("/choices/0/finish_reason").asText());
    assertEquals(12, events.getLast().at("/usage/completion_tokens").asInt());
    assertTrue(events.getLast().at("/usage/prompt_tokens_details").has("cached_tokens"));
  }

  @Test
  void likelihoodsOfTokens() {
    var content =
        chat(", 'max_tokens': 3, 'logprobs': true, 'top_logprobs': 2")
            .at("/choices/0/logprobs/content");
    assertEquals(3, content.size());
    for (var token : content) {
      assertEquals(2, token.path("top_logprobs").size());
      assertEquals(token.path("logprob"), token.at("/top_logprobs/0/logprob"));
    }
  }

  @Test
  void severalAnswersAreWhatTheirSeedsSay() {
    String sampled = HELLO.replace("'temperature': 0", "'temperature': 1.5");
    var both =
        server.ask(PATH, "{" + sampled + ", 'max_tokens': 16, 'n': 2, 'seed': 5}").path("choices");
    assertEquals(2, both.size());
    assertFalse(both.get(0).path("message").equals(both.get(1).path("message")), both.toString());
  }

  @Test
  void answersInAForm() {
    var answer =
        chat(
            ", 'max_tokens': 60, 'response_format': {'type': 'json_schema', 'json_schema': {'name':"
                + " 'x', 'schema': {'type': 'object', 'properties': {'age': {'type': 'integer',"
                + " 'minimum': 1, 'maximum': 99}}, 'required': ['age'], 'additionalProperties':"
                + " false}}}");
    var json = TestServer.json(answer.at("/choices/0/message/content").asText());
    assertTrue(json.path("age").asInt() > 0, json.toString());
  }

  @Test
  void callsTheFunctionThatIsChosen() {
    String tool =
        "{'type': 'function', 'function': {'name': '%s', 'parameters': {'type': 'object',"
            + " 'properties': {'age': {'type': 'integer'}}, 'required': ['age'],"
            + " 'additionalProperties': false}}}";
    var choice =
        chat(", 'max_tokens': 60, 'tools': [%s, %s], 'tool_choice': {'type': 'function',"
                    .formatted(tool.formatted("greet"), tool.formatted("leave"))
                + " 'function': {'name': 'leave'}}")
            .at("/choices/0");
    assertEquals("tool_calls", choice.path("finish_reason").asText(), choice.toString());
    assertEquals("leave", choice.at("/message/tool_calls/0/function/name").asText());
  }

  @Test
  void refusesWhatItWouldIgnore() {
    var error = server.refusal(400, PATH, "{" + HELLO + ", 'sample_twice': true}");
    assertEquals("sample_twice", error.path("param").asText());
    assertEquals("unknown_parameter", error.path("code").asText());
    server.refusal(400, PATH, "{" + HELLO + ", 'temperature': 'hot'}");
    server.refusal(400, PATH, "{" + HELLO + ", 'n': 99}");
    server.refusal(400, PATH, "{" + HELLO);
    server.refusal(400, PATH, "[]");
    String message = server.refusal(400, PATH, "{").path("message").asText();
    assertFalse(message.contains("REDACTED"), message);
    server.refusal(
        400,
        PATH,
        "{"
            + HELLO
            + ", 'tools': [{'type': 'function', 'function': {'name': 'f', 'parameters': 5}}]}");
    assertEquals(
        "model_not_found",
        server.refusal(404, PATH, "{'model': 'gpt', 'messages': []}").path("code").asText());
  }

  @Test
  void aPromptThatIsTooLongIsRefusedWithBothNumbers() {
    String text = "to be or not to be ".repeat(200);
    var error =
        server.refusal(400, PATH, "{'messages': [{'role': 'user', 'content': '" + text + "'}]}");
    assertEquals("context_length_exceeded", error.path("code").asText());
    assertTrue(error.path("message").asText().matches(".*\\d{3,}.* 512.*"), error.toString());
  }

  @Test
  void aToolThatIsAskedForIsCalled() {
    String tools =
        ", 'max_tokens': 80, 'tools': [{'type': 'function', 'function': {'name': 'greet',"
            + " 'parameters': {'type': 'object', 'properties': {'age': {'type': 'integer',"
            + " 'minimum': 1, 'maximum': 99}}, 'required': ['age'], 'additionalProperties':"
            + " false}}}]";
    for (String choice :
        new String[] {"'required'", "{'type': 'function', 'function': {'name': 'greet'}}"}) {
      var answer = chat(tools + ", 'tool_choice': " + choice).at("/choices/0");
      assertEquals("tool_calls", answer.path("finish_reason").asText(), answer.toString());
      var call = answer.at("/message/tool_calls/0/function");
      assertEquals("greet", call.path("name").asText());
      assertTrue(
          TestServer.json(call.path("arguments").asText()).path("age").asInt() > 0,
          call.toString());
    }
    server.refusal(
        400,
        PATH,
        "{" + HELLO + tools + ", 'tool_choice': {'type': 'function', 'function': {'name': 'x'}}}");
  }

  /// While a long prompt is read a stream says that it goes on.
  @Test
  void aStreamIsNeverSilentForLong() {
    var path = TestData.pretrained("tiny-llm");
    try (var other = new TestServer(o -> o.model(path).ping(Duration.ofMillis(1)))) {
      String text = "to be or not to be ".repeat(40);
      String body =
          "{'messages': [{'role': 'user', 'content': '"
              + text
              + "'}], 'max_tokens': 2, 'stream': true}";
      var answer = other.post(PATH, body.replace('\'', '"')).body();
      assertTrue(answer.startsWith("data: "), answer);
      assertTrue(answer.contains("\n\n: still at it\n\n"), answer);
      assertTrue(answer.endsWith("data: [DONE]\n\n"), answer);
    }
  }

  /// As clients write them.
  @Test
  void messagesOfAllKinds() {
    String messages =
        "'max_tokens': 2, 'messages': [{'role': 'developer', 'content': [{'type': 'text', 'text':"
            + " 'Be brief.'}]}, {'role': 'user', 'name': 'Ann', 'content': [{'type': 'text',"
            + " 'text': 'Good '}, {'type': 'text', 'text': 'morrow'}]}, {'role': 'assistant',"
            + " 'content': null, 'refusal': null, 'function_call': null, 'audio': null,"
            + " 'tool_calls': [{'id': 'a', 'type': 'function', 'function': {'name': 'f',"
            + " 'arguments': '{}'}}]}, {'role': 'tool', 'tool_call_id': 'a', 'content': [{'type':"
            + " 'text', 'text': 'yes'}]}, {'role': 'user', 'content': 'and?'}]";
    var answer =
        server.post(
            PATH,
            ("{" + messages + ", 'prediction': {'type': 'content', 'content': 'x'}}")
                .replace('\'', '"'));
    // What the model's template makes of them is its own affair, but never our failure.
    assertTrue(answer.statusCode() == 200 || answer.statusCode() == 400, answer.body());
    assertFalse(answer.body().contains("unknown_parameter"), answer.body());
  }

  /// Guesses change nothing.
  @Test
  void aDraftModelGuesses() {
    String more = ", 'max_tokens': 40, 'ignore_eos': true";
    var path = TestData.pretrained("tiny-llm");
    try (var other = new TestServer(o -> o.model(path).draft(path))) {
      var answer = other.ask(PATH, "{" + HELLO + more + "}");
      assertEquals(
          chat(more).at("/choices/0/message/content"), answer.at("/choices/0/message/content"));
      assertTrue(
          other.get("/metrics").body().matches("(?s).*gatun_drafted_tokens_total\\S* [1-9].*"),
          other.get("/metrics").body());
    }
  }
}
