package io.gatun.tests.langchain4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.common.AbstractEmbeddingModelIT;
import dev.langchain4j.model.embedding.listener.EmbeddingModelListener;
import dev.langchain4j.spi.model.embedding.EmbeddingModelFactory;
import io.gatun.langchain4j.GatunEmbeddingModel;
import io.gatun.langchain4j.GatunScoringModel;
import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// LangChain4j's own tests of embedding models, and ours.
class GatunEmbeddingModelTest extends AbstractEmbeddingModelIT {
  private final List<GatunEmbeddingModel> open = new ArrayList<>();

  private static Path model(String name) {
    return TestData.complete(TestData.ROOT.resolve("tests/src/test/resources/encoder/" + name));
  }

  private GatunEmbeddingModel.Builder builder() {
    return GatunEmbeddingModel.builder().model(model("qwen3-embedding").toString());
  }

  private EmbeddingModel opened(GatunEmbeddingModel model) {
    open.add(model);
    return model;
  }

  @AfterEach
  void close() {
    open.forEach(GatunEmbeddingModel::close);
  }

  @Override
  protected List<EmbeddingModel> models() {
    return List.of(opened(builder().build()));
  }

  @Override
  protected EmbeddingModel modelWith(EmbeddingModelListener listener) {
    return opened(builder().listeners(List.of(listener)).build());
  }

  @Override
  protected EmbeddingModel failingModelWith(EmbeddingModelListener listener) {
    var model = builder().listeners(List.of(listener)).build();
    model.close();
    return model;
  }

  /// Not one from the network.
  @Override
  protected ImageContent catImage() {
    return ImageContent.from("iVBORw0KGgo=", "image/png");
  }

  @Override
  protected boolean supportsImageInput() {
    return false;
  }

  @Override
  protected boolean supportsInterleavedInput() {
    return false;
  }

  @Override
  protected int dimensionsParameter() {
    return 32;
  }

  // Not for this model: it reads no images, and has both parameters.

  @Override
  protected void should_embed_image(EmbeddingModel model) {}

  @Override
  protected void should_embed_interleaved_text_and_image(EmbeddingModel model) {}

  @Override
  protected void should_fail_when_input_type_is_not_supported(EmbeddingModel model) {}

  @Override
  protected void should_fail_when_dimensions_is_not_supported(EmbeddingModel model) {}

  @Test
  void vectorsAreTheEmbedders() {
    var texts = List.of("Water that falls.", "A king.");
    try (var embedder = TextEmbedder.load(model("bge-small"));
        var model = GatunEmbeddingModel.builder().model(model("bge-small").toString()).build()) {
      var found = model.embedAll(texts.stream().map(TextSegment::from).toList());
      float[][] expected = embedder.embed(texts);
      for (int i = 0; i < expected.length; i++) {
        assertArrayEquals(expected[i], found.content().get(i).vector());
      }
      assertEquals(embedder.dimension(), model.dimension());
      assertThrows(InvalidRequestException.class, () -> model.embed("word ".repeat(2000)));
    }
  }

  @Test
  void theServiceIsFound() {
    var factory = ServiceLoader.load(EmbeddingModelFactory.class).findFirst().orElseThrow();
    assertThrows(IllegalStateException.class, factory::create);
    System.setProperty("gatun.embedding.model", model("minilm-l6").toString());
    try (var model = (GatunEmbeddingModel) factory.create()) {
      assertEquals(model.dimension(), model.embed("A king.").content().dimension());
    } finally {
      System.clearProperty("gatun.embedding.model");
    }
  }

  @Test
  void scoresAreTheRerankers() {
    var texts = List.of("Water that falls.", "A king.");
    try (var reranker = Reranker.load(model("bge-reranker"));
        var model = GatunScoringModel.builder().model(model("bge-reranker").toString()).build()) {
      float[] expected = reranker.score("What is rain?", texts);
      var found =
          model.scoreAll(texts.stream().map(TextSegment::from).toList(), "What is rain?").content();
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], found.get(i), 0);
      }
    }
  }
}
