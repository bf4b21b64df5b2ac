package io.gatun.tests.langchain4j;

import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.store.embedding.EmbeddingStore;
import dev.langchain4j.store.embedding.EmbeddingStoreWithRemovalIT;
import io.gatun.langchain4j.GatunEmbeddingStore;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/// LangChain4j's own tests of what stores forget.
class GatunEmbeddingStoreRemovalTest extends EmbeddingStoreWithRemovalIT {
  private final GatunEmbeddingStore store;

  GatunEmbeddingStoreRemovalTest(@TempDir Path temp) {
    store = GatunEmbeddingStore.open(temp.resolve("store"));
  }

  @AfterEach
  void close() {
    store.close();
  }

  @Override
  protected EmbeddingStore<TextSegment> embeddingStore() {
    return store;
  }

  @Override
  protected EmbeddingModel embeddingModel() {
    return GatunEmbeddingStoreFilterTest.HASHES;
  }
}
