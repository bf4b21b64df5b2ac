package io.gatun.langchain4j;

import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.spi.model.embedding.EmbeddingModelFactory;

/// What LangChain4j finds where no embedding model is given: the one that the system property
/// `gatun.embedding.model` names, or else the environment's `GATUN_EMBEDDING_MODEL`.
public final class GatunEmbeddingModelFactory implements EmbeddingModelFactory {
  private static final String PROPERTY = "gatun.embedding.model";
  private static final String VARIABLE = "GATUN_EMBEDDING_MODEL";

  @Override
  public EmbeddingModel create() {
    String model = System.getProperty(PROPERTY, System.getenv(VARIABLE));
    if (model == null) {
      throw new IllegalStateException(
          "no embedding model is named: set the system property %s or the variable %s to a path or a name, or give LangChain4j a model"
              .formatted(PROPERTY, VARIABLE));
    }
    return GatunEmbeddingModel.builder().model(model).build();
  }
}
