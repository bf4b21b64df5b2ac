package io.gatun.langchain4j;

import dev.langchain4j.internal.InternalStreamingChatResponseHandlerUtils;
import dev.langchain4j.model.ModelProvider;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.PartialToolCall;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import io.gatun.models.chat.ChatAnswer;
import io.gatun.models.engine.Handle;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;

/// A language model that chats, and hands out its answers as they come: [GatunChatModel] says what
/// it can do. A virtual thread calls the handler; what that throws ends nothing. An answer that the
/// handler cancels ends without another word.
public final class GatunStreamingChatModel implements StreamingChatModel, AutoCloseable {
  private final GatunChat chat;
  private final List<ChatModelListener> listeners;

  private GatunStreamingChatModel(Builder builder) {
    chat = new GatunChat(builder);
    listeners = builder.listeners;
  }

  public static Builder builder() {
    return new Builder();
  }

  @Override
  public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
    Thread.ofVirtual().name("gatun-answer").start(() -> new Stream(handler).run(request));
  }

  /// One answer on its way to a handler.
  private final class Stream implements StreamingHandle {
    private final StreamingChatResponseHandler handler;
    private volatile boolean cancelled;
    private volatile Handle handle;
    private int calls;

    Stream(StreamingChatResponseHandler handler) {
      this.handler = handler;
    }

    void run(ChatRequest request) {
      try {
        var response = chat.ask(request, this::open, this::hand);
        if (!cancelled) {
          InternalStreamingChatResponseHandlerUtils.onCompleteResponse(handler, response);
        }
      } catch (RuntimeException e) {
        if (!(cancelled && e instanceof CancellationException)) {
          InternalStreamingChatResponseHandlerUtils.withLoggingExceptions(() -> handler.onError(e));
        }
      }
    }

    private void open(Handle opened) {
      handle = opened;
      if (cancelled) {
        opened.cancel();
      }
    }

    private void hand(ChatAnswer answer, ChatAnswer.Part part) {
      if (cancelled) {
        return;
      }
      if (!part.thought().isEmpty() && chat.returnsThinking()) {
        InternalStreamingChatResponseHandlerUtils.onPartialThinking(handler, part.thought(), this);
      }
      if (!part.text().isEmpty()) {
        InternalStreamingChatResponseHandlerUtils.onPartialResponse(handler, part.text(), this);
      }
      for (var each : part.calls()) {
        complete(answer, each.index()); // those before it
        var call = answer.calls().get(each.index());
        if (!each.arguments().isEmpty()) {
          InternalStreamingChatResponseHandlerUtils.onPartialToolCall(
              handler,
              PartialToolCall.builder()
                  .index(each.index())
                  .id(call.id())
                  .name(call.name())
                  .partialArguments(each.arguments())
                  .build(),
              this);
        }
      }
      if (answer.isFinished()) {
        complete(answer, answer.calls().size());
      }
    }

    /// Tells the calls before one as whole.
    private void complete(ChatAnswer answer, int end) {
      for (; calls < end; calls++) {
        InternalStreamingChatResponseHandlerUtils.onCompleteToolCall(
            handler, new CompleteToolCall(calls, GatunChat.call(answer.calls().get(calls))));
      }
    }

    @Override
    public void cancel() {
      cancelled = true;
      var opened = handle;
      if (opened != null) {
        opened.cancel();
      }
    }

    @Override
    public boolean isCancelled() {
      return cancelled;
    }
  }

  @Override
  public ChatRequestParameters defaultRequestParameters() {
    return chat.parameters();
  }

  @Override
  public List<ChatModelListener> listeners() {
    return listeners;
  }

  @Override
  public ModelProvider provider() {
    return ModelProvider.OTHER;
  }

  @Override
  public Set<Capability> supportedCapabilities() {
    return Set.of(Capability.RESPONSE_FORMAT_JSON_SCHEMA);
  }

  /// Gives the model back, which the last user closes.
  @Override
  public void close() {
    chat.close();
  }

  /// Builds it.
  public static final class Builder extends GatunBuilder<Builder> {
    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /// Loads the model, unless another has it already.
    ///
    /// @throws IllegalArgumentException if no model is named
    /// @throws io.gatun.loaders.CheckpointException if there is no such model, or it is broken
    public GatunStreamingChatModel build() {
      return new GatunStreamingChatModel(this);
    }
  }
}
