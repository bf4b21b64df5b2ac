package io.gatun.tests.langchain4j;

import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.output.Response;
import dev.langchain4j.store.embedding.EmbeddingStore;
import dev.langchain4j.store.embedding.EmbeddingStoreWithFilteringIT;
import io.gatun.langchain4j.GatunEmbeddingStore;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/// LangChain4j's own tests of what stores find, and of their filters.
class GatunEmbeddingStoreFilterTest extends EmbeddingStoreWithFilteringIT {
  /// Texts that differ have vectors in other directions, which a model of random weights does not
  /// give them.
  static final EmbeddingModel HASHES =
      new EmbeddingModel() {
        @Override
        public Response<List<Embedding>> embedAll(List<TextSegment> segments) {
          return Response.from(segments.stream().map(s -> vector(s.text())).toList());
        }
      };

  private static GatunEmbeddingStore store;

  private static Embedding vector(String text) {
    var random = new Random(text.hashCode());
    var vector = new float[64];
    for (int i = 0; i < vector.length; i++) {
      vector[i] = (float) random.nextGaussian();
    }
    var embedding = Embedding.from(vector);
    embedding.normalize();
    return embedding;
  }

  @BeforeAll
  static void open(@TempDir Path temp) {
    store = GatunEmbeddingStore.open(temp.resolve("store"));
  }

  @AfterAll
  static void close() {
    store.close();
  }

  @Override
  protected EmbeddingStore<TextSegment> embeddingStore() {
    return store;
  }

  @Override
  protected EmbeddingModel embeddingModel() {
    return HASHES;
  }

  @Override
  protected void clearStore() {
    store.removeAll();
  }

  @Override
  protected boolean supportsContains() {
    return true;
  }

  /// No test here: it is supported.
  @Override
  protected void should_throw_exception_when_contains_is_not_supported() {}
}
