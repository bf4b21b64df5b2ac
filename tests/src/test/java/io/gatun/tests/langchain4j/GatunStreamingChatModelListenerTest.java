package io.gatun.tests.langchain4j;

import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.common.AbstractStreamingChatModelListenerIT;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import io.gatun.langchain4j.GatunStreamingChatModel;
import io.gatun.tests.TestData;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;

/// LangChain4j's own tests of those who listen to streaming chat models.
class GatunStreamingChatModelListenerTest extends AbstractStreamingChatModelListenerIT {
  private final List<GatunStreamingChatModel> open = new ArrayList<>();

  private GatunStreamingChatModel model(ChatModelListener listener, String name) {
    var model =
        GatunStreamingChatModel.builder()
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
    open.forEach(GatunStreamingChatModel::close);
  }

  @Override
  protected StreamingChatModel createModel(ChatModelListener listener) {
    return model(listener, modelName());
  }

  @Override
  protected StreamingChatModel createFailingModel(ChatModelListener listener) {
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
