package io.gatun.langchain4j;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.exception.TimeoutException;
import dev.langchain4j.internal.JsonSchemaElementUtils;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import io.gatun.models.Shared;
import io.gatun.models.chat.AnswerOptions;
import io.gatun.models.chat.ChatAnswer;
import io.gatun.models.chat.ChatEngine;
import io.gatun.models.chat.ChatPrompt;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.ConstraintException;
import io.gatun.models.engine.ContextExceededException;
import io.gatun.models.engine.EngineFullException;
import io.gatun.models.engine.Handle;
import io.gatun.models.engine.Request;
import io.gatun.models.engine.Result;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;

/// A model that is asked in LangChain4j's words.
final class GatunChat implements AutoCloseable {
  /// Takes what comes of an answer.
  interface Reader {
    void part(ChatAnswer answer, ChatAnswer.Part part);
  }

  private final Shared<ChatEngine> shared;
  private final String name;
  private final GatunChatRequestParameters parameters;
  private final Duration timeout;
  private final boolean thinking;

  GatunChat(GatunBuilder<?> builder) {
    if (builder.model == null) {
      throw new IllegalArgumentException("no model is named; need model(PATH or NAME)");
    }
    name = builder.name();
    parameters = builder.parameters();
    timeout = builder.timeout;
    thinking = builder.thinking;
    shared = ChatEngine.share(builder.model, builder.context, builder.parallel, builder.threads);
  }

  ChatRequestParameters parameters() {
    return parameters;
  }

  /// Asks, hands on what comes, and returns the whole.
  ///
  /// @param opened takes the handle of the answer, to cancel it
  ChatResponse ask(ChatRequest request, Consumer<Handle> opened, Reader reader) {
    return failing(
        () -> {
          var model = shared.get();
          var p = request.parameters();
          check(p);
          var prompt =
              model.prompt(
                  new ChatPrompt.Question(
                      ChatMessages.of(request.messages()),
                      p.toolChoice() == ToolChoice.NONE
                          ? Map.of()
                          : ChatMessages.tools(p.toolSpecifications()),
                      p.toolChoice() == ToolChoice.REQUIRED
                          ? p.toolSpecifications().stream().map(t -> t.name()).toList()
                          : List.of(),
                      true,
                      p instanceof GatunChatRequestParameters own
                          ? own.templateVariables()
                          : Map.of()));
          var asked = request(prompt.tokens(), p);
          var handle =
              model.engine().submit(prompt.constrained(asked, constraint(p.responseFormat())));
          opened.accept(handle);
          var answer = new ChatAnswer(prompt);
          var result = read(handle, answer, reader);
          return response(answer, result);
        });
  }

  /// Goes on from a text.
  Result complete(String text) {
    return failing(
        () -> {
          var model = shared.get();
          check(parameters);
          int[] tokens = model.llm().tokenizer().encode(text);
          var asked = request(tokens, parameters);
          var handle =
              model.engine().submit(asked.constraint(constraint(parameters.responseFormat())));
          return read(handle, new ChatAnswer(), (answer, part) -> {});
        });
  }

  static TokenUsage usage(Result result) {
    return new TokenUsage(result.usage().promptTokens(), result.usage().answerTokens());
  }

  static FinishReason reason(Result result) {
    return switch (result.reason()) {
      case LENGTH, CONTEXT -> FinishReason.LENGTH;
      default -> FinishReason.STOP;
    };
  }

  private void check(ChatRequestParameters p) {
    if (p.modelName() != null && !p.modelName().equals(name)) {
      throw new ModelNotFoundException(
          "the model %s is asked for; this one is %s: build one for each"
              .formatted(p.modelName(), name));
    }
    if (p.toolChoice() == ToolChoice.REQUIRED && p.toolSpecifications().isEmpty()) {
      throw new InvalidRequestException("a tool must be called, and there are none");
    }
  }

  private Request request(int[] prompt, ChatRequestParameters p) {
    var own =
        p instanceof GatunChatRequestParameters known
            ? known
            : GatunChatRequestParameters.builder().build();
    return new AnswerOptions(
            p.temperature(),
            p.topP(),
            p.topK(),
            own.minP(),
            own.repeatPenalty(),
            p.presencePenalty(),
            p.frequencyPenalty(),
            own.seed(),
            p.maxOutputTokens(),
            p.stopSequences(),
            timeout)
        .request(prompt);
  }

  private static Constraint constraint(ResponseFormat format) {
    if (format == null || format.type() == ResponseFormatType.TEXT) {
      return null;
    }
    return format.jsonSchema() == null
        ? Constraint.jsonObject()
        : Constraint.jsonSchema(
            ChatMessages.schema(JsonSchemaElementUtils.toMap(format.jsonSchema().rootElement())));
  }

  private Result read(Handle handle, ChatAnswer answer, Reader reader) throws InterruptedException {
    var result = answer.read(handle, part -> reader.part(answer, part));
    return switch (result.reason()) {
      case TIMEOUT -> throw new TimeoutException("the answer took longer than " + timeout);
      case CANCELLED -> throw new CancellationException("the answer was cancelled");
      default -> result;
    };
  }

  private ChatResponse response(ChatAnswer answer, Result result) {
    var message = AiMessage.builder();
    var calls = answer.calls().stream().map(GatunChat::call).toList();
    String text = answer.content();
    message.text(text.isEmpty() && !calls.isEmpty() ? null : text);
    message.toolExecutionRequests(calls);
    if (thinking && !answer.thoughts().isEmpty()) {
      message.thinking(answer.thoughts());
    }
    var reason = reason(result);
    return ChatResponse.builder()
        .id("gatun-" + UUID.randomUUID())
        .modelName(name)
        .aiMessage(message.build())
        .tokenUsage(usage(result))
        .finishReason(
            calls.isEmpty() || reason == FinishReason.LENGTH ? reason : FinishReason.TOOL_EXECUTION)
        .build();
  }

  static ToolExecutionRequest call(ChatAnswer.ToolCall call) {
    return ToolExecutionRequest.builder()
        .id(call.id())
        .name(call.name())
        .arguments(call.arguments().toString())
        .build();
  }

  boolean returnsThinking() {
    return thinking;
  }

  private interface Work<T> {
    T get() throws InterruptedException;
  }

  /// With what goes wrong in LangChain4j's words.
  private static <T> T failing(Work<T> work) {
    try {
      return work.get();
    } catch (ContextExceededException | ConstraintException e) {
      throw new InvalidRequestException(e);
    } catch (EngineFullException e) {
      throw new RateLimitException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("the thread was interrupted");
    } catch (IllegalArgumentException e) {
      throw new InvalidRequestException(e);
    }
  }

  @Override
  public void close() {
    shared.close();
  }
}
