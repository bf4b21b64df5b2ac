package io.gatun.langchain4j;

import dev.langchain4j.model.language.LanguageModel;
import dev.langchain4j.model.output.Response;

/// A language model that goes on from a text, without a chat template.
public final class GatunLanguageModel implements LanguageModel, AutoCloseable {
  private final GatunChat chat;

  private GatunLanguageModel(Builder builder) {
    chat = new GatunChat(builder);
  }

  public static Builder builder() {
    return new Builder();
  }

  @Override
  public Response<String> generate(String prompt) {
    var result = chat.complete(prompt);
    return Response.from(result.text(), GatunChat.usage(result), GatunChat.reason(result));
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
    /// @throws IllegalArgumentException if no model is named, or there are listeners, which
    ///   LangChain4j's language models do not have
    /// @throws io.gatun.loaders.CheckpointException if there is no such model, or it is broken
    public GatunLanguageModel build() {
      if (!listeners.isEmpty()) {
        throw new IllegalArgumentException(
            "LangChain4j's language models have no listeners; build a GatunChatModel for them");
      }
      return new GatunLanguageModel(this);
    }
  }
}
