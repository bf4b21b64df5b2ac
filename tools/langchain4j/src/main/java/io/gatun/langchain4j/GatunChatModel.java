package io.gatun.langchain4j;

import dev.langchain4j.model.ModelProvider;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import java.util.List;
import java.util.Set;

/// A language model that chats.
///
/// ```java
/// try (var model = GatunChatModel.builder().model("Qwen/Qwen3-0.6B").build()) {
///   System.out.println(model.chat("Why is the sky blue?"));
/// }
/// ```
///
/// Tools are called in the form that the model was trained on, with arguments that follow their
/// schemas; a JSON schema as response format is kept to the letter by each answer that is no call.
/// What the model cannot do is refused: images, another model's name, a response format together
/// with tools that must be called, or whose calls the model marks by nothing. Any thread may use
/// it; requests of several threads are computed together.
public final class GatunChatModel implements ChatModel, AutoCloseable {
  private final GatunChat chat;
  private final List<ChatModelListener> listeners;

  private GatunChatModel(Builder builder) {
    chat = new GatunChat(builder);
    listeners = builder.listeners;
  }

  public static Builder builder() {
    return new Builder();
  }

  @Override
  public ChatResponse doChat(ChatRequest request) {
    return chat.ask(request, handle -> {}, (answer, part) -> {});
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
    public GatunChatModel build() {
      return new GatunChatModel(this);
    }
  }
}
