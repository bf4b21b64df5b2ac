package io.gatun.langchain4j;

import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import java.io.File;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// What builders of models that write have in common.
///
/// @param <B> the builder
public abstract sealed class GatunBuilder<B extends GatunBuilder<B>>
    permits GatunChatModel.Builder, GatunStreamingChatModel.Builder, GatunLanguageModel.Builder {
  final GatunChatRequestParameters.Builder parameters = GatunChatRequestParameters.builder();
  ChatRequestParameters defaults;
  String model;
  private String modelName;
  int context;
  int parallel = 8;
  int threads;
  Duration timeout;
  boolean thinking = true;
  List<ChatModelListener> listeners = List.of();

  GatunBuilder() {}

  abstract B self();

  /// A path, or a name as the command line takes it: `tiny-llm`, `ORG/MODEL`, `ollama:NAME`.
  public B model(String pathOrName) {
    model = Objects.requireNonNull(pathOrName, "the model is null");
    return self();
  }

  /// The name that it goes by in requests and answers; by default the name of its file, or the name
  /// that [#model] has.
  public B modelName(String value) {
    modelName = value;
    return self();
  }

  /// The most tokens of a prompt and its answer; by default as many as the model has.
  public B context(int value) {
    context = value;
    return self();
  }

  /// The most answers that are written at once, of all who have this model together; by default 8.
  /// Others wait.
  public B parallel(int value) {
    parallel = value;
    return self();
  }

  /// The threads that compute; by default one a core.
  public B threads(int value) {
    threads = value;
    return self();
  }

  /// After so long a request fails; by default never.
  public B timeout(Duration value) {
    timeout = value;
    return self();
  }

  public B temperature(Double value) {
    parameters.temperature(value);
    return self();
  }

  public B topP(Double value) {
    parameters.topP(value);
    return self();
  }

  public B topK(Integer value) {
    parameters.topK(value);
    return self();
  }

  public B minP(Double value) {
    parameters.minP(value);
    return self();
  }

  public B repeatPenalty(Double value) {
    parameters.repeatPenalty(value);
    return self();
  }

  public B frequencyPenalty(Double value) {
    parameters.frequencyPenalty(value);
    return self();
  }

  public B presencePenalty(Double value) {
    parameters.presencePenalty(value);
    return self();
  }

  public B maxOutputTokens(Integer value) {
    parameters.maxOutputTokens(value);
    return self();
  }

  public B stopSequences(List<String> value) {
    parameters.stopSequences(value);
    return self();
  }

  public B seed(Long value) {
    parameters.seed(value);
    return self();
  }

  /// Switches of the model's chat template, such as `enable_thinking`.
  public B templateVariables(Map<String, Object> value) {
    parameters.templateVariables(value);
    return self();
  }

  /// What requests have that say nothing else; the builder's own parameters come first.
  public B defaultRequestParameters(ChatRequestParameters value) {
    defaults = value;
    return self();
  }

  /// Whether what the model thinks before it answers is returned; by default it is.
  public B returnThinking(boolean value) {
    thinking = value;
    return self();
  }

  public B listeners(List<ChatModelListener> value) {
    listeners = List.copyOf(value);
    return self();
  }

  final String name() {
    if (modelName != null) {
      return modelName;
    }
    var file = new File(model);
    return file.exists() ? file.getName() : model;
  }

  final GatunChatRequestParameters parameters() {
    var all = GatunChatRequestParameters.builder();
    if (defaults != null) {
      all.overrideWith(defaults);
    }
    all.overrideWith(parameters.build());
    if (all.build().modelName() == null) {
      all.modelName(name());
    }
    return all.build();
  }
}
