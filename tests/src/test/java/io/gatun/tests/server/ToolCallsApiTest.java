package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.Reciter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Thoughts and calls of models of several families, told apart in OpenAI's API and in Ollama's.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ToolCallsApiTest {
  private static final String TOOLS =
      "'messages': [{'role': 'user', 'content': 'Q'}], 'tools': [{'type': 'function', 'function':"
          + " {'name': 'weather', 'parameters': {'type': 'object', 'properties': {'city': {'type':"
          + " 'string'}}, 'required': ['city']}}}]";

  /// What each writes after the prompt: `Q`, or what the template makes of it.
  enum Family {
    HERMES("<think>", "hmm", "</think>", "\n\n", "<tool_call>", "\n", call(), "}}", "</tool_call>"),
    MISTRAL(
        "[THINK]", "hmm", "[/THINK]", "[TOOL_CALLS]", "weather", "[ARGS]", "{\"city\":", " \"R\"}"),
    LFM2("<think>", "hmm", "</think>", "<|tool_call_start|>", "[weather(", "city='R'", ")]"),
    GEMMA4(
        "<|channel>",
        "thought",
        "hmm",
        "<channel|>",
        "<|tool_call>",
        "call:weather{city:",
        "'R'}",
        "<tool_call|>"),
    GPT_OSS(
        " to=functions.weather",
        "<|channel|>",
        "commentary json",
        "<|message|>",
        "{\"city\":",
        " \"R\"}");

    final String[] answer;

    Family(String... answer) {
      this.answer = answer;
    }

    private static String call() {
      return "{\"name\": \"weather\", \"arguments\": {\"city\": \"R\"";
    }

    String model() {
      return name().toLowerCase(Locale.ROOT);
    }

    Path write(Path folder) {
      String template = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
      Stream<String> first = Stream.of("Q");
      if (this == GPT_OSS) {
        template += "{{ '<|start|>assistant' }}";
        first = Stream.of("<|end|>", "Q", "<|start|>", "assistant");
      }
      String[] all =
          Stream.of(first, Arrays.stream(answer), Stream.of("<eos>"))
              .flatMap(s -> s)
              .toArray(String[]::new);
      return Reciter.write(folder, template, all);
    }
  }

  @TempDir private static Path folder;
  private static TestServer server;

  @BeforeAll
  static void start() {
    server =
        new TestServer(
            o -> {
              for (var family : Family.values()) {
                o.model(family.model(), family.write(folder));
              }
            });
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String asked(Family family, String more) {
    return "{'model': '" + family.model() + "', 'temperature': 0, " + TOOLS + more + "}";
  }

  private static void check(Family family, JsonNode message, String thoughts) {
    var function = message.at("/tool_calls/0/function");
    assertEquals("weather", function.path("name").asText(), message.toString());
    var arguments = function.path("arguments");
    var read = arguments.isTextual() ? TestServer.json(arguments.textValue()) : arguments;
    assertEquals("{\"city\":\"R\"}", read.toString());
    assertEquals(family == Family.GPT_OSS ? "" : "hmm", message.path(thoughts).asText());
    assertEquals("", message.path("content").asText(""));
  }

  @ParameterizedTest
  @EnumSource
  void openAi(Family family) {
    var choice = server.ask("/v1/chat/completions", asked(family, "")).at("/choices/0");
    assertEquals("tool_calls", choice.path("finish_reason").asText());
    check(family, choice.path("message"), "reasoning_content");
    var events = server.events("/v1/chat/completions", asked(family, ", 'stream': true"));
    var deltas = events.stream().map(event -> event.at("/choices/0/delta")).toList();
    var calls = deltas.stream().filter(d -> d.has("tool_calls")).map(d -> d.at("/tool_calls/0"));
    var parts = calls.toList();
    assertTrue(parts.size() > 1, "arguments come as they are written");
    assertEquals("weather", parts.getFirst().at("/function/name").asText());
    assertFalse(parts.getFirst().path("id").asText().isEmpty());
    assertEquals(1, parts.stream().filter(part -> part.has("id")).count());
    assertEquals(
        TestServer.json("{\"city\": \"R\"}"),
        TestServer.json(
            parts.stream()
                .map(part -> part.at("/function/arguments").asText())
                .collect(Collectors.joining())));
    assertEquals(
        family == Family.GPT_OSS ? "" : "hmm",
        deltas.stream()
            .map(d -> d.path("reasoning_content").asText())
            .collect(Collectors.joining()));
    assertEquals(
        "", deltas.stream().map(d -> d.path("content").asText()).collect(Collectors.joining()));
    assertEquals("tool_calls", events.getLast().at("/choices/0/finish_reason").asText());
  }

  /// Models that recite arguments that do not fit: they are brought to fit them.
  @Test
  void argumentsFitTheSchema() {
    String[][] answers = {
      {
        "<tool_call>",
        "\n",
        "{\"name\": \"weather\", \"arguments\": {",
        "\"town\": 1}}",
        "</tool_call>"
      },
      {"[TOOL_CALLS]", "[{\"name\": \"weather\", \"arguments\": {", "\"town\": 1}}]"},
      {"[TOOL_CALLS]", "weather", "[ARGS]", "{", "\"town\": 1}"},
      {
        " to=functions.weather",
        "<|channel|>",
        "commentary json",
        "<|message|>",
        "{",
        "\"town\": 1}"
      }
    };
    for (int i = 0; i < answers.length; i++) {
      boolean channels = i == 3;
      String template = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
      var letters =
          "{}[]\":, \nabcdefghijklmnopqrstuvwxyz0123456789".chars().mapToObj(Character::toString);
      var tokens =
          Stream.of(
                  letters,
                  channels ? Stream.of("<|end|>", "Q", "<|start|>", "assistant") : Stream.of("Q"),
                  Arrays.stream(answers[i]),
                  Stream.of("<eos>"))
              .flatMap(s -> s)
              .distinct()
              .toArray(String[]::new);
      var model =
          Reciter.write(
              folder, channels ? template + "{{ '<|start|>assistant' }}" : template, tokens);
      try (var other = new TestServer(o -> o.model("reciter", model))) {
        var choice =
            other
                .ask(
                    "/v1/chat/completions",
                    "{'temperature': 0, 'max_tokens': 60, "
                        + TOOLS.replace("'required'", "'additionalProperties': false, 'required'")
                        + "}")
                .at("/choices/0");
        var call = choice.at("/message/tool_calls/0/function");
        assertEquals("weather", call.path("name").asText(), choice.toString());
        var arguments = TestServer.json(call.path("arguments").asText());
        assertTrue(arguments.path("city").isTextual() && arguments.size() == 1, choice.toString());
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void ollama(Family family) {
    String asked =
        asked(family, "")
            .replace("'temperature': 0, ", "'options': {'temperature': 0, 'repeat_penalty': 1}, ");
    check(
        family,
        server.ask("/api/chat", asked.replaceFirst("\\}$", ", 'stream': false}")).path("message"),
        "thinking");
    var lines =
        server.post("/api/chat", asked.replace('\'', '"')).body().lines().map(TestServer::json);
    var messages = lines.map(line -> line.path("message")).toList();
    var called = messages.stream().filter(m -> m.has("tool_calls")).toList();
    assertEquals(1, called.size(), messages.toString());
    assertEquals(
        "{\"city\":\"R\"}", called.getFirst().at("/tool_calls/0/function/arguments").toString());
    assertEquals(
        family == Family.GPT_OSS ? "" : "hmm",
        messages.stream().map(m -> m.path("thinking").asText()).collect(Collectors.joining()));
    var hidden =
        server.ask("/api/chat", asked.replaceFirst("\\}$", ", 'think': false, 'stream': false}"));
    assertFalse(hidden.path("message").has("thinking"), hidden.toString());
  }
}
