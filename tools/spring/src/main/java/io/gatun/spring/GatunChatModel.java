package io.gatun.spring;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.Shared;
import io.gatun.models.chat.AnswerOptions;
import io.gatun.models.chat.ChatAnswer;
import io.gatun.models.chat.ChatEngine;
import io.gatun.models.chat.ChatPrompt;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Handle;
import io.gatun.models.engine.Stats;
import io.gatun.spring.GatunChatOptions.ToolChoice;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import io.micrometer.observation.contextpropagation.ObservationThreadLocalAccessor;
import java.io.File;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.metadata.ChatGenerationMetadata;
import org.springframework.ai.chat.metadata.ChatResponseMetadata;
import org.springframework.ai.chat.metadata.DefaultUsage;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.model.Generation;
import org.springframework.ai.chat.model.MessageAggregator;
import org.springframework.ai.chat.observation.ChatModelObservationContext;
import org.springframework.ai.chat.observation.ChatModelObservationConvention;
import org.springframework.ai.chat.observation.ChatModelObservationDocumentation;
import org.springframework.ai.chat.observation.DefaultChatModelObservationConvention;
import org.springframework.ai.chat.prompt.Prompt;
import reactor.core.publisher.Flux;
import reactor.core.publisher.FluxSink;

/// A language model that chats.
///
/// ```java
/// try (var model = GatunChatModel.builder().model("Qwen/Qwen3-0.6B").build()) {
///   System.out.println(ChatClient.create(model).prompt("Why is the sky blue?").call().content());
/// }
/// ```
///
/// Tools are called in the form that the model was trained on, with arguments that follow their
/// schemas; as with any model of Spring AI it is `ChatClient` that runs them. An output schema is
/// kept to the letter by each answer that is no call. What the model thinks before it answers is
/// its message's property `thinking`. What it cannot do is refused by an
/// `IllegalArgumentException`: media, another model's name, an output schema together with tools
/// that must be called, or whose calls the model marks by nothing. Any thread may use it; requests
/// of several threads are computed together.
public final class GatunChatModel implements ChatModel, AutoCloseable {
  static final String PROVIDER = "gatun";

  private static final ChatModelObservationConvention CONVENTION =
      new DefaultChatModelObservationConvention();

  private final Shared<ChatEngine> shared;
  private final String name;
  private final GatunChatOptions options;
  private final Duration timeout;
  private final ObservationRegistry observations;

  private GatunChatModel(Builder builder) {
    if (builder.model == null) {
      throw new IllegalArgumentException("no model is named; need model(PATH or NAME)");
    }
    timeout = builder.timeout;
    observations = builder.observations;
    var file = new File(builder.model);
    String given = builder.options.getModel();
    name = given != null ? given : file.exists() ? file.getName() : builder.model;
    options = builder.options.mutate().model(name).build();
    shared = ChatEngine.share(builder.model, builder.context, builder.parallel, builder.threads);
  }

  public static Builder builder() {
    return new Builder();
  }

  @Override
  public GatunChatOptions getOptions() {
    return options;
  }

  /// What the engine does just now, and did since it was opened.
  public Stats stats() {
    return shared.get().engine().stats();
  }

  @Override
  public ChatResponse call(Prompt prompt) {
    var asked = asked(prompt);
    var context = context(asked, false);
    return observation(context)
        .observe(
            () -> {
              var answer = new Answer(asked);
              answer.read(piece -> {});
              var response = answer.whole();
              context.setResponse(response);
              return response;
            });
  }

  /// The answer as it comes, read by a virtual thread; who cancels the subscription ends it.
  @Override
  public Flux<ChatResponse> stream(Prompt prompt) {
    return Flux.deferContextual(
        view -> {
          var asked = asked(prompt);
          var context = context(asked, true);
          var observation = observation(context);
          observation.parentObservation(
              view.<Observation>getOrDefault(ObservationThreadLocalAccessor.KEY, null));
          observation.start();
          var pieces =
              Flux.<ChatResponse>create(sink -> stream(asked, sink))
                  .doOnError(observation::error)
                  .doFinally(end -> observation.stop())
                  .contextWrite(c -> c.put(ObservationThreadLocalAccessor.KEY, observation));
          return new MessageAggregator().aggregate(pieces, context::setResponse);
        });
  }

  private void stream(Prompt asked, FluxSink<ChatResponse> sink) {
    var answer = new Answer(asked);
    sink.onDispose(answer.handle::cancel);
    Thread.ofVirtual()
        .name("gatun-answer")
        .start(
            () -> {
              try {
                answer.read(sink::next);
                sink.complete();
              } catch (RuntimeException e) {
                sink.error(e); // nobody hears it once the subscription is cancelled
              }
            });
  }

  private ChatModelObservationContext context(Prompt asked, boolean streaming) {
    return ChatModelObservationContext.builder()
        .prompt(asked)
        .provider(PROVIDER)
        .streaming(streaming)
        .build();
  }

  private Observation observation(ChatModelObservationContext context) {
    return ChatModelObservationDocumentation.CHAT_MODEL_OPERATION.observation(
        null, CONVENTION, () -> context, observations);
  }

  /// The prompt with options of this class, checked.
  private Prompt asked(Prompt prompt) {
    var given = prompt.getOptions();
    GatunChatOptions all =
        given instanceof GatunChatOptions own
            ? own
            : given == null ? options : options.mutate().combineWith(given.mutate()).build();
    if (all.getModel() == null) {
      all = all.mutate().model(name).build();
    } else if (!all.getModel().equals(name)) {
      throw new IllegalArgumentException(
          "the model %s is asked for; this one is %s: make one for each"
              .formatted(all.getModel(), name));
    }
    boolean tools = all.getToolCallbacks() != null && !all.getToolCallbacks().isEmpty();
    if (all.getToolChoice() == ToolChoice.REQUIRED && !tools) {
      throw new IllegalArgumentException("a tool must be called, and there are none");
    }
    return prompt.mutate().chatOptions(all).build();
  }

  /// An answer that is being written.
  private final class Answer {
    final Handle handle;
    private final String id = "gatun-" + UUID.randomUUID();
    private final ChatAnswer answer;
    private int calls;

    Answer(Prompt asked) {
      var model = shared.get();
      var o = (GatunChatOptions) asked.getOptions();
      var tools =
          o.getToolCallbacks() == null || o.getToolChoice() == ToolChoice.NONE
              ? Map.<String, JsonNode>of()
              : SpringMessages.tools(o.getToolCallbacks());
      var prompt =
          model.prompt(
              new ChatPrompt.Question(
                  SpringMessages.of(asked.getInstructions()),
                  tools,
                  o.getToolChoice() == ToolChoice.REQUIRED
                      ? List.copyOf(tools.keySet())
                      : List.of(),
                  true,
                  o.getTemplateVariables()));
      var request =
          new AnswerOptions(
                  o.getTemperature(),
                  o.getTopP(),
                  o.getTopK(),
                  o.getMinP(),
                  o.getRepeatPenalty(),
                  o.getPresencePenalty(),
                  o.getFrequencyPenalty(),
                  o.getSeed(),
                  o.getMaxTokens(),
                  o.getStopSequences(),
                  timeout)
              .request(prompt.tokens());
      var constraint =
          o.getOutputSchema() == null ? null : Constraint.jsonSchema(o.getOutputSchema());
      handle = model.engine().submit(prompt.constrained(request, constraint));
      answer = new ChatAnswer(prompt);
    }

    void read(Consumer<ChatResponse> reader) {
      try {
        switch (answer.read(handle, part -> tell(part, reader)).reason()) {
          case TIMEOUT -> throw new IllegalStateException("the answer took longer than " + timeout);
          case CANCELLED -> throw new CancellationException("the answer was cancelled");
          default -> {}
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new CancellationException("the thread was interrupted");
      }
    }

    /// Calls are told when they are whole.
    private void tell(ChatAnswer.Part part, Consumer<ChatResponse> reader) {
      int whole = answer.isFinished() ? answer.calls().size() : answer.calls().size() - 1;
      var made =
          whole > calls ? answer.calls().subList(calls, whole) : List.<ChatAnswer.ToolCall>of();
      calls = Math.max(calls, whole);
      if (!part.text().isEmpty()
          || !part.thought().isEmpty()
          || !made.isEmpty()
          || answer.isFinished()) {
        reader.accept(response(part.text(), part.thought(), made));
      }
    }

    ChatResponse whole() {
      return response(answer.content(), answer.thoughts(), answer.calls());
    }

    private ChatResponse response(String text, String thoughts, List<ChatAnswer.ToolCall> made) {
      var message =
          AssistantMessage.builder()
              .content(text)
              .properties(thoughts.isEmpty() ? Map.of() : Map.of(SpringMessages.THINKING, thoughts))
              .toolCalls(
                  made.stream()
                      .map(
                          call ->
                              new AssistantMessage.ToolCall(
                                  call.id(), "function", call.name(), call.arguments().toString()))
                      .toList())
              .build();
      var metadata = ChatResponseMetadata.builder().id(id).model(name);
      var generation = ChatGenerationMetadata.NULL;
      if (answer.isFinished()) {
        var usage = answer.result().usage();
        metadata.usage(
            new DefaultUsage(
                usage.promptTokens(),
                usage.answerTokens(),
                null,
                usage,
                (long) usage.cachedTokens(),
                null));
        generation = ChatGenerationMetadata.builder().finishReason(reason()).build();
      }
      return new ChatResponse(List.of(new Generation(message, generation)), metadata.build());
    }

    private String reason() {
      return switch (answer.result().reason()) {
        case LENGTH, CONTEXT -> "length";
        default -> answer.calls().isEmpty() ? "stop" : "tool_calls";
      };
    }
  }

  /// Gives the model back, which the last user closes.
  @Override
  public void close() {
    shared.close();
  }

  /// Builds it.
  public static final class Builder {
    private String model;
    private GatunChatOptions options = GatunChatOptions.builder().build();
    private int context;
    private int parallel = 8;
    private int threads;
    private Duration timeout;
    private ObservationRegistry observations = ObservationRegistry.NOOP;

    private Builder() {}

    /// A path, or a name as the command line takes it: `tiny-llm`, `ORG/MODEL`, `ollama:NAME`.
    public Builder model(String pathOrName) {
      model = pathOrName;
      return this;
    }

    /// The options of prompts that say nothing else. The name in them is what the model goes by, by
    /// default that of its file, or the name that [#model] has.
    public Builder options(GatunChatOptions value) {
      options = Objects.requireNonNull(value, "the options are null");
      return this;
    }

    /// The most tokens of a prompt and its answer; by default as many as the model has.
    public Builder context(int value) {
      context = value;
      return this;
    }

    /// The most answers that are written at once, by default 8; others wait.
    public Builder parallel(int value) {
      parallel = value;
      return this;
    }

    /// The threads that compute; by default one a core.
    public Builder threads(int value) {
      threads = value;
      return this;
    }

    /// After so long a request fails; by default never.
    public Builder timeout(Duration value) {
      timeout = value;
      return this;
    }

    /// Who is told of requests, with their tokens and times.
    public Builder observationRegistry(ObservationRegistry value) {
      observations = Objects.requireNonNull(value, "the registry is null");
      return this;
    }

    /// Loads the model, unless another has it already.
    ///
    /// @throws IllegalArgumentException if no model is named
    /// @throws io.gatun.loaders.CheckpointException if there is no such model, or it is broken
    public GatunChatModel build() {
      return new GatunChatModel(this);
    }
  }
}
