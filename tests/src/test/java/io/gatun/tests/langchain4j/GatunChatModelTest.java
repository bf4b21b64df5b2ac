package io.gatun.tests.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.TimeoutException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.PartialThinking;
import dev.langchain4j.model.chat.response.PartialToolCall;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.FinishReason;
import io.gatun.langchain4j.GatunChatModel;
import io.gatun.langchain4j.GatunChatRequestParameters;
import io.gatun.langchain4j.GatunLanguageModel;
import io.gatun.langchain4j.GatunStreamingChatModel;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tests.Reciter;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GatunChatModelTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String TINY = TestData.pretrained("tiny-llm").toString();
  private static final String QUESTION = "Good morrow, my lord. What news?";

  private static final ToolSpecification WEATHER =
      ToolSpecification.builder()
          .name("weather")
          .parameters(JsonObjectSchema.builder().addStringProperty("city").required("city").build())
          .build();

  private static final ResponseFormat PERSON =
      ResponseFormat.builder()
          .type(ResponseFormatType.JSON)
          .jsonSchema(
              JsonSchema.builder()
                  .name("person")
                  .rootElement(
                      JsonObjectSchema.builder()
                          .addIntegerProperty("age")
                          .addEnumProperty("mood", List.of("merry", "sad"))
                          .required("age", "mood")
                          .additionalProperties(false)
                          .build())
                  .build())
          .build();

  @TempDir private static Path folder;

  private static GatunChatModel.Builder tiny() {
    return GatunChatModel.builder().model(TINY).temperature(0.0).maxOutputTokens(8);
  }

  /// Thinks, and calls a function.
  private static String caller() {
    return Reciter.write(
            folder,
            "{% for m in messages %}{{ m['content'] }}{% endfor %}",
            "Q",
            "<think>",
            "hmm",
            "</think>",
            "\n\n",
            "<tool_call>",
            "\n",
            "{\"name\": \"weather\", \"arguments\": {\"city\": \"R\"",
            "}}",
            "</tool_call>",
            "<eos>")
        .toString();
  }

  @Test
  void aConversation() {
    var messages =
        List.<ChatMessage>of(
            SystemMessage.from("You are a courtier."),
            UserMessage.from("Who art thou?"),
            AiMessage.from("A friend."),
            UserMessage.from(QUESTION));
    try (var model = tiny().build();
        var llm = Llm.load(TINY);
        var chat = llm.newChat()) {
      chat.start("You are a courtier.");
      chat.restore(
          List.of(
              new io.gatun.models.text.ChatTemplate.Message("system", "You are a courtier."),
              new io.gatun.models.text.ChatTemplate.Message("user", "Who art thou?"),
              new io.gatun.models.text.ChatTemplate.Message("assistant", "A friend.")));
      var expected =
          chat.say(QUESTION, o -> o.maxTokens(8).sampling(SamplingOptions.GREEDY)).text();
      var answer = model.chat(messages);
      assertEquals(expected, answer.aiMessage().text());
      assertEquals(FinishReason.LENGTH, answer.finishReason());
      assertEquals(8, answer.tokenUsage().outputTokenCount());
      assertTrue(answer.tokenUsage().inputTokenCount() > 20);
      assertEquals("tiny-llm", answer.modelName());
      assertFalse(answer.id().isEmpty());
    }
  }

  @Test
  void aSeedDecides() {
    try (var model = tiny().temperature(1.5).build()) {
      var texts = new ArrayList<String>();
      for (long seed : new long[] {1, 1, 2}) {
        var parameters = GatunChatRequestParameters.builder().seed(seed).build();
        var request =
            ChatRequest.builder()
                .messages(UserMessage.from(QUESTION))
                .parameters(parameters)
                .build();
        texts.add(model.chat(request).aiMessage().text());
      }
      assertEquals(texts.get(0), texts.get(1));
      assertNotEquals(texts.get(0), texts.get(2));
    }
  }

  @Test
  void aSchemaIsKept() throws Exception {
    try (var model = tiny().temperature(1.0).maxOutputTokens(80).build()) {
      var request =
          ChatRequest.builder().messages(UserMessage.from(QUESTION)).responseFormat(PERSON).build();
      var read = JSON.readTree(model.chat(request).aiMessage().text());
      assertTrue(read.path("age").isIntegralNumber(), read.toString());
      assertTrue(List.of("merry", "sad").contains(read.path("mood").asText()), read.toString());
    }
  }

  @Test
  void toolsAreCalled() throws Exception {
    try (var model = GatunChatModel.builder().model(caller()).temperature(0.0).build()) {
      var asked =
          ChatRequest.builder().messages(UserMessage.from("Q")).toolSpecifications(WEATHER).build();
      var answer = model.chat(asked);
      assertEquals(FinishReason.TOOL_EXECUTION, answer.finishReason());
      assertEquals("hmm", answer.aiMessage().thinking());
      assertNull(answer.aiMessage().text());
      var call = answer.aiMessage().toolExecutionRequests().getFirst();
      assertEquals("weather", call.name());
      assertEquals(JSON.readTree("{\"city\":\"R\"}"), JSON.readTree(call.arguments()));
      // What was called and what came of it is told in turn; this template shows no more of it.
      var more =
          model.chat(
              List.of(
                  answer.aiMessage(),
                  ToolExecutionResultMessage.from(call, ""),
                  UserMessage.from("Q")));
      assertEquals("hmm", more.aiMessage().thinking());
    }
  }

  /// With a format an answer is still a call, or follows the format.
  @Test
  void toolsAndAFormat() throws Exception {
    String template = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
    String call = "{\"name\": \"weather\", \"arguments\": {\"city\": \"R\"}}";
    String answer = "{\"age\":3,\"mood\":\"merry\"}";
    var asked =
        ChatRequest.builder()
            .messages(UserMessage.from("Q"))
            .toolSpecifications(WEATHER)
            .responseFormat(PERSON)
            .build();
    var calls =
        Reciter.write(folder, template, answer, "Q", "<tool_call>", call, "</tool_call>", "<eos>");
    try (var model = GatunChatModel.builder().model(calls.toString()).temperature(0.0).build()) {
      var made = model.chat(asked).aiMessage().toolExecutionRequests().getFirst();
      assertEquals("R", JSON.readTree(made.arguments()).path("city").asText());
    }
    var answers = Reciter.write(folder, template, "<tool_call>", "Q", answer, "no more", "<eos>");
    try (var model = GatunChatModel.builder().model(answers.toString()).temperature(0.0).build()) {
      var made = model.chat(asked);
      assertEquals(answer, made.aiMessage().text());
      assertEquals(FinishReason.STOP, made.finishReason());
    }
  }

  @Test
  void aCallCanBeForced() throws Exception {
    try (var model = tiny().temperature(1.0).maxOutputTokens(100).build()) {
      var answer =
          model.chat(
              ChatRequest.builder()
                  .messages(UserMessage.from(QUESTION))
                  .toolSpecifications(WEATHER)
                  .toolChoice(ToolChoice.REQUIRED)
                  .build());
      var call = answer.aiMessage().toolExecutionRequests().getFirst();
      assertEquals("weather", call.name());
      assertTrue(JSON.readTree(call.arguments()).path("city").isTextual(), call.arguments());
    }
  }

  @Test
  void whatCannotBeDoneIsRefused() {
    try (var model = tiny().build()) {
      var image = UserMessage.from(ImageContent.from("iVBORw0KGgo=", "image/png"));
      var e = assertThrows(UnsupportedFeatureException.class, () -> model.chat(image));
      assertEquals("content of type IMAGE; the model reads only text", e.getMessage());
      var question = ChatRequest.builder().messages(UserMessage.from(QUESTION));
      assertThrows(
          ModelNotFoundException.class, () -> model.chat(question.modelName("other").build()));
      question.modelName(null);
      var both =
          assertThrows(
              InvalidRequestException.class,
              () ->
                  model.chat(question.toolSpecifications(WEATHER).responseFormat(PERSON).build()));
      assertTrue(both.getMessage().contains("Ask without tools"), both.getMessage());
      assertThrows(
          InvalidRequestException.class,
          () ->
              model.chat(
                  ChatRequest.builder()
                      .messages(UserMessage.from(QUESTION))
                      .toolChoice(ToolChoice.REQUIRED)
                      .build()));
      var longOne =
          assertThrows(InvalidRequestException.class, () -> model.chat("long ".repeat(5000)));
      assertTrue(longOne.getMessage().contains("tokens"), longOne.getMessage());
      assertThrows(
          InvalidRequestException.class,
          () ->
              model.chat(
                  ChatRequest.builder()
                      .messages(UserMessage.from(QUESTION))
                      .temperature(-1.0)
                      .build()));
    }
    assertThrows(IllegalArgumentException.class, () -> GatunChatModel.builder().build());
    assertThrows(
        CheckpointException.class, () -> GatunChatModel.builder().model("no/such.gguf").build());
    try (var hurried = tiny().timeout(Duration.ZERO).build()) {
      assertThrows(TimeoutException.class, () -> hurried.chat(QUESTION));
    }
  }

  @Test
  void modelsAreShared() {
    var first = tiny().build();
    var second = tiny().temperature(0.5).build();
    first.close();
    first.close();
    assertThrows(IllegalStateException.class, () -> first.chat(QUESTION));
    assertFalse(second.chat(QUESTION).isEmpty());
    second.close();
    try (var language =
            GatunLanguageModel.builder().model(TINY).temperature(0.0).maxOutputTokens(8).build();
        var llm = Llm.load(TINY)) {
      var expected = llm.generate("Once", o -> o.maxTokens(8).sampling(SamplingOptions.GREEDY));
      var found = language.generate("Once");
      assertEquals(expected.text(), found.content());
    }
  }

  /// Takes what comes, as it comes.
  private static class Listener implements StreamingChatResponseHandler {
    final StringBuilder text = new StringBuilder();
    final StringBuilder thoughts = new StringBuilder();
    final StringBuilder arguments = new StringBuilder();
    final List<CompleteToolCall> calls = new ArrayList<>();
    final List<String> order = new ArrayList<>();
    final CompletableFuture<ChatResponse> response = new CompletableFuture<>();
    volatile Thread thread;

    @Override
    public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
      text.append(piece.text());
      thread = Thread.currentThread();
    }

    @Override
    public void onPartialThinking(PartialThinking piece) {
      thoughts.append(piece.text());
      order.add("thought");
    }

    @Override
    public void onPartialToolCall(PartialToolCall piece) {
      arguments.append(piece.partialArguments());
      order.add("part");
    }

    @Override
    public void onCompleteToolCall(CompleteToolCall call) {
      calls.add(call);
      order.add("call");
    }

    @Override
    public void onCompleteResponse(ChatResponse whole) {
      response.complete(whole);
    }

    @Override
    public void onError(Throwable e) {
      response.completeExceptionally(e);
    }
  }

  private static GatunStreamingChatModel.Builder streaming() {
    return GatunStreamingChatModel.builder().model(TINY).temperature(0.0).maxOutputTokens(8);
  }

  @Test
  void answersStream() throws Exception {
    try (var model = tiny().build();
        var stream = streaming().build()) {
      var listener = new Listener();
      stream.chat(QUESTION, listener);
      var whole = listener.response.get(60, TimeUnit.SECONDS);
      assertEquals(model.chat(QUESTION), listener.text.toString());
      assertEquals(listener.text.toString(), whole.aiMessage().text());
      assertNotEquals(Thread.currentThread(), listener.thread);
      assertEquals(8, whole.tokenUsage().outputTokenCount());
      var failing = new Listener();
      stream.chat("long ".repeat(5000), failing);
      var e = assertThrows(Exception.class, () -> failing.response.get(60, TimeUnit.SECONDS));
      assertEquals(InvalidRequestException.class, e.getCause().getClass());
    }
  }

  @Test
  void callsStream() throws Exception {
    try (var stream = GatunStreamingChatModel.builder().model(caller()).temperature(0.0).build()) {
      var listener = new Listener();
      stream.chat(
          ChatRequest.builder().messages(UserMessage.from("Q")).toolSpecifications(WEATHER).build(),
          listener);
      var whole = listener.response.get(60, TimeUnit.SECONDS);
      assertEquals("hmm", listener.thoughts.toString());
      var call = whole.aiMessage().toolExecutionRequests().getFirst();
      assertEquals(call.arguments(), listener.arguments.toString());
      assertEquals(call, listener.calls.getFirst().toolExecutionRequest());
      assertEquals("thought", listener.order.getFirst());
      assertEquals("call", listener.order.getLast());
    }
  }

  @Test
  void aStreamCanBeCancelled() throws Exception {
    try (var stream = streaming().maxOutputTokens(100_000).build()) {
      var seen = new CompletableFuture<PartialResponseContext>();
      var listener =
          new Listener() {
            @Override
            public void onPartialResponse(PartialResponse piece, PartialResponseContext context) {
              context.streamingHandle().cancel();
              seen.complete(context);
            }
          };
      stream.chat(QUESTION, listener);
      assertTrue(seen.get(60, TimeUnit.SECONDS).streamingHandle().isCancelled());
      // The engine is free again, and nothing more is told of the first.
      var next = new Listener();
      stream.chat(
          ChatRequest.builder()
              .messages(UserMessage.from(QUESTION))
              .parameters(
                  GatunChatRequestParameters.builder()
                      .maxOutputTokens(2)
                      .templateVariables(Map.of("enable_thinking", false))
                      .build())
              .build(),
          next);
      next.response.get(60, TimeUnit.SECONDS);
      assertFalse(listener.response.isDone());
    }
  }
}
