package io.gatun.tests.langchain4j;

import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.common.AbstractChatModelListenerIT;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import io.gatun.langchain4j.GatunChatModel;
import io.gatun.tests.TestData;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;

/// LangChain4j's own tests of those who listen to chat models.
class GatunChatModelListenerTest extends AbstractChatModelListenerIT {
  private final List<GatunChatModel> open = new ArrayList<>();

  private GatunChatModel model(ChatModelListener listener, String name) {
    var model =
        GatunChatModel.builder()
            .model(TestData.pretrained("tiny-llm").toString())
            .defaultRequestParameters(ChatRequestParameters.builder().modelName(name).build())
            .temperature(temperature())
            .topP(topP())
            .maxOutputTokens(maxTokens())
            .listeners(List.of(listener))
            .build();
    open.add(model);
    return model;
  }

  @AfterEach
  void close() {
    open.forEach(GatunChatModel::close);
  }

  @Override
  protected ChatModel createModel(ChatModelListener listener) {
    return model(listener, modelName());
  }

  @Override
  protected ChatModel createFailingModel(ChatModelListener listener) {
    return model(listener, "other");
  }

  @Override
  protected Class<? extends Exception> expectedExceptionClass() {
    return ModelNotFoundException.class;
  }

  @Override
  protected String modelName() {
    return "tiny-llm";
  }
}
