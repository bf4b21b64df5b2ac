package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.ollama.OllamaChatModel;
import dev.langchain4j.model.ollama.OllamaEmbeddingModel;
import dev.langchain4j.model.ollama.OllamaStreamingChatModel;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiEmbeddingModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.model.output.FinishReason;
import io.gatun.models.TextEmbedder;
import io.gatun.tests.Reciter;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// LangChain4j's clients against a server.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LangChain4jTest {
  private static final String QUESTION = "Good morrow, my lord. What news?";

  private static final JsonObjectSchema PERSON =
      JsonObjectSchema.builder()
          .addIntegerProperty("age")
          .addEnumProperty("mood", List.of("merry", "sad"))
          .required("age", "mood")
          .additionalProperties(false)
          .build();

  private static final ResponseFormat PERSON_FORMAT =
      ResponseFormat.builder()
          .type(ResponseFormatType.JSON)
          .jsonSchema(JsonSchema.builder().name("person").rootElement(PERSON).build())
          .build();

  private static final Path BERT =
      TestData.complete(TestData.ROOT.resolve("tests/src/test/resources/encoder/minilm-l6"));

  @TempDir private static Path temp;
  private static TestServer server;

  @BeforeAll
  static void start() {
    server = new TestServer(o -> o.model(TestData.pretrained("tiny-llm")));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static OpenAiChatModel openAi() {
    return OpenAiChatModel.builder()
        .baseUrl(server.uri("/v1").toString())
        .apiKey("none")
        .modelName("tiny-llm")
        .temperature(0.0)
        .maxTokens(60)
        .strictJsonSchema(true)
        .timeout(Duration.ofSeconds(60))
        .maxRetries(0)
        .build();
  }

  private static ChatRequest.Builder question() {
    return ChatRequest.builder().messages(UserMessage.from(QUESTION));
  }

  @Test
  void chats() {
    var answer = openAi().chat(question().build());
    assertTrue(answer.aiMessage().text().length() > 3, answer.toString());
    assertEquals("tiny-llm", answer.metadata().modelName());
    assertTrue(answer.tokenUsage().inputTokenCount() > 5, answer.toString());
  }

  @Test
  void streamsTheSame() throws Exception {
    var model =
        OpenAiStreamingChatModel.builder()
            .baseUrl(server.uri("/v1").toString())
            .apiKey("none")
            .modelName("tiny-llm")
            .temperature(0.0)
            .maxTokens(60)
            .timeout(Duration.ofSeconds(60))
            .build();
    var collected = new Collected();
    model.chat(question().build(), collected);
    var streamed = collected.whole.get(60, TimeUnit.SECONDS);
    assertEquals(collected.text.toString(), streamed.aiMessage().text());
    var whole = openAi().chat(question().build());
    assertEquals(whole.aiMessage().text(), streamed.aiMessage().text());
    assertEquals(whole.tokenUsage().totalTokenCount(), streamed.tokenUsage().totalTokenCount());
    assertTrue(collected.parts > 1, streamed.toString());
  }

  @Test
  void callsTheToolItMustCall() {
    var greet =
        ToolSpecification.builder()
            .name("greet")
            .description("Greets somebody")
            .parameters(PERSON)
            .build();
    var answer =
        openAi().chat(question().toolSpecifications(greet).toolChoice(ToolChoice.REQUIRED).build());
    assertEquals(FinishReason.TOOL_EXECUTION, answer.finishReason());
    var call = answer.aiMessage().toolExecutionRequests().getFirst();
    assertEquals("greet", call.name());
    assertTrue(TestServer.json(call.arguments()).path("age").isIntegralNumber(), call.toString());
  }

  @Test
  void answersInASchema() {
    var text = openAi().chat(question().responseFormat(PERSON_FORMAT).build()).aiMessage().text();
    var person = TestServer.json(text);
    assertTrue(person.path("age").isIntegralNumber(), text);
    assertTrue(List.of("merry", "sad").contains(person.path("mood").asText()), text);
  }

  @Test
  void vectorsByBothApis() {
    try (var other = new TestServer(o -> o.model(BERT))) {
      var texts = List.of(TextSegment.from("the cat"), TextSegment.from("a dog"));
      var openAi =
          OpenAiEmbeddingModel.builder()
              .baseUrl(other.uri("/v1").toString())
              .apiKey("none")
              .modelName("minilm-l6")
              .maxRetries(0)
              .build()
              .embedAll(texts);
      var ollama =
          OllamaEmbeddingModel.builder()
              .baseUrl(other.uri("").toString())
              .modelName("minilm-l6")
              .maxRetries(0)
              .build()
              .embedAll(texts);
      assertEquals(2, openAi.content().size());
      assertEquals(openAi.content(), ollama.content());
      assertTrue(openAi.tokenUsage().inputTokenCount() > 4, openAi.toString());
      try (var embedder = TextEmbedder.load(BERT, o -> o.threads(2))) {
        assertArrayEquals(
            embedder.embed(List.of("a dog"))[0], openAi.content().get(1).vector(), 1e-5f);
      }
    }
  }

  /// A model that thinks, and calls a function.
  @Test
  void thoughtsAndCallsByBothApis() throws Exception {
    var model =
        Reciter.write(
            temp,
            "{% for m in messages %}{{ m['content'] }}{% endfor %}",
            "Q",
            "<think>",
            "hmm",
            "</think>",
            "<tool_call>",
            "{\"name\": \"greet\", \"arguments\": {\"age\": 4, ",
            "\"mood\": \"sad\"}}",
            "</tool_call>",
            "<eos>");
    var greet = ToolSpecification.builder().name("greet").parameters(PERSON).build();
    var asked =
        ChatRequest.builder().messages(UserMessage.from("Q")).toolSpecifications(greet).build();
    try (var other = new TestServer(o -> o.model("reciter", model))) {
      var collected = new Collected();
      OpenAiStreamingChatModel.builder()
          .baseUrl(other.uri("/v1").toString())
          .apiKey("none")
          .modelName("reciter")
          .temperature(0.0)
          .returnThinking(true)
          .build()
          .chat(asked, collected);
      check(collected.whole.get(60, TimeUnit.SECONDS));
      check(
          OllamaChatModel.builder()
              .baseUrl(other.uri("").toString())
              .modelName("reciter")
              .temperature(0.0)
              .repeatPenalty(1.0)
              .think(true)
              .returnThinking(true)
              .maxRetries(0)
              .build()
              .chat(asked));
    }
  }

  private static void check(ChatResponse answer) {
    assertEquals("hmm", answer.aiMessage().thinking(), answer.toString());
    var call = answer.aiMessage().toolExecutionRequests().getFirst();
    assertEquals("greet", call.name());
    assertEquals(
        TestServer.json("{\"age\": 4, \"mood\": \"sad\"}"), TestServer.json(call.arguments()));
    assertEquals(FinishReason.TOOL_EXECUTION, answer.finishReason());
  }

  private static OllamaChatModel ollama() {
    return OllamaChatModel.builder()
        .baseUrl(server.uri("").toString())
        .modelName("tiny-llm")
        .temperature(0.0)
        .numPredict(60)
        .repeatPenalty(1.0) // Ollama's own is 1.1
        .timeout(Duration.ofSeconds(60))
        .maxRetries(0)
        .build();
  }

  @Test
  void chatsByOllamasApi() {
    var answer = ollama().chat(question().build());
    var same = openAi().chat(question().build());
    assertEquals(same.aiMessage().text(), answer.aiMessage().text());
    assertEquals(same.tokenUsage().totalTokenCount(), answer.tokenUsage().totalTokenCount());
  }

  @Test
  void streamsByOllamasApi() throws Exception {
    var model =
        OllamaStreamingChatModel.builder()
            .baseUrl(server.uri("").toString())
            .modelName("tiny-llm")
            .temperature(0.0)
            .numPredict(60)
            .repeatPenalty(1.0)
            .timeout(Duration.ofSeconds(60))
            .build();
    var collected = new Collected();
    model.chat(question().build(), collected);
    var streamed = collected.whole.get(60, TimeUnit.SECONDS);
    assertEquals(collected.text.toString(), streamed.aiMessage().text());
    assertEquals(ollama().chat(question().build()).aiMessage(), streamed.aiMessage());
  }

  @Test
  void answersInASchemaByOllamasApi() {
    var text = ollama().chat(question().responseFormat(PERSON_FORMAT).build()).aiMessage().text();
    assertTrue(TestServer.json(text).path("age").isIntegralNumber(), text);
  }

  /// What a stream brings.
  private static final class Collected implements StreamingChatResponseHandler {
    final StringBuilder text = new StringBuilder();
    final CompletableFuture<ChatResponse> whole = new CompletableFuture<>();
    int parts;

    @Override
    public void onPartialResponse(String part) {
      text.append(part);
      parts++;
    }

    @Override
    public void onCompleteResponse(ChatResponse response) {
      whole.complete(response);
    }

    @Override
    public void onError(Throwable error) {
      whole.completeExceptionally(error);
    }
  }
}
