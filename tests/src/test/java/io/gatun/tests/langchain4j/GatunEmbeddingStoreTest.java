package io.gatun.tests.langchain4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.data.document.Metadata;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.rag.content.ContentMetadata;
import dev.langchain4j.rag.query.Query;
import dev.langchain4j.store.embedding.EmbeddingSearchRequest;
import dev.langchain4j.store.embedding.filter.Filter;
import dev.langchain4j.store.embedding.filter.MetadataFilterBuilder;
import io.gatun.langchain4j.GatunContentRetriever;
import io.gatun.langchain4j.GatunEmbeddingStore;
import io.gatun.search.Document;
import io.gatun.search.Index;
import io.gatun.search.SearchException;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A folder as LangChain4j's store and as what finds content. LangChain4j's own tests of stores
/// want one more library, and are not among these.
class GatunEmbeddingStoreTest {
  @TempDir private Path temp;
  private GatunEmbeddingStore store;

  @BeforeEach
  void open() {
    store = GatunEmbeddingStore.open(temp.resolve("store"));
  }

  @AfterEach
  void close() {
    store.close();
  }

  /// At an angle of so many degrees.
  private static Embedding at(double degrees) {
    double radians = Math.toRadians(degrees);
    return Embedding.from(
        new float[] {(float) (3 * Math.cos(radians)), (float) (3 * Math.sin(radians))});
  }

  private List<String> ids(Embedding query, int most, double least, Filter filter) {
    var request = EmbeddingSearchRequest.builder().queryEmbedding(query).maxResults(most);
    return store.search(request.minScore(least).filter(filter).build()).matches().stream()
        .map(match -> match.embeddingId())
        .toList();
  }

  @Test
  void theNearestAreFoundAfterReopening() {
    var texts = List.of("zero", "thirty", "ninety");
    var segments =
        texts.stream().map(text -> TextSegment.from(text, Metadata.from("name", text))).toList();
    store.addAll(texts, List.of(at(0), at(30), at(90)), segments);
    store.close();
    store = GatunEmbeddingStore.open(temp.resolve("store"));
    assertEquals(List.of("thirty", "zero", "ninety"), ids(at(35), 3, 0, null));
    assertEquals(List.of("thirty"), ids(at(35), 1, 0, null));
    // (1 + cos(35 degrees)) / 2 = 0.9096
    assertEquals(List.of("thirty", "zero"), ids(at(35), 3, 0.9095, null));
    assertEquals(List.of("thirty"), ids(at(35), 3, 0.9097, null));
    var request = EmbeddingSearchRequest.builder().queryEmbedding(at(90)).maxResults(1).build();
    var match = store.search(request).matches().getFirst();
    assertEquals(1, match.score(), 1e-6);
    assertEquals(segments.get(2), match.embedded());
    assertArrayEquals(at(90).vector(), match.embedding().vector());
    // Another of that id takes its place.
    store.add("zero", at(91));
    assertEquals(List.of("ninety", "zero"), ids(at(90), 2, 0, null));
    var e =
        assertThrows(IllegalArgumentException.class, () -> store.add(Embedding.from(List.of(1f))));
    assertTrue(e.getMessage().contains("a vector of 1 numbers; those of this index have 2"));
    var zeros = Embedding.from(new float[2]);
    assertThrows(IllegalArgumentException.class, () -> store.add(zeros));
    assertThrows(SearchException.class, () -> GatunEmbeddingStore.open(temp.resolve("store")));
  }

  /// More than the graph is asked for, in several segments.
  @Test
  void manyAndFilters() {
    for (int lot = 0; lot < 3; lot++) {
      var numbers = IntStream.range(100 * lot, 100 * lot + 100).boxed().toList();
      store.addAll(
          numbers.stream().map(String::valueOf).toList(),
          numbers.stream().map(n -> at(n / 2.0)).toList(),
          numbers.stream()
              .map(n -> TextSegment.from("t" + n, Metadata.from("n", "" + n).put("tens", n / 10)))
              .toList());
    }
    assertEquals(List.of("200", "199", "201"), ids(at(99.9), 3, 0, null));
    Filter far = MetadataFilterBuilder.metadataKey("tens").isLessThan(3);
    assertEquals(List.of("29", "28"), ids(at(99.9), 2, 0, far));
    store.removeAll(far);
    assertEquals(List.of("30", "31"), ids(at(0), 2, 0, null));
    assertEquals(270, ids(at(0), 1000, 0, null).size());
  }

  @Test
  void removes() {
    var names = List.of("a", "b", "c", "d", "e");
    store.addAll(names, IntStream.range(0, 5).mapToObj(GatunEmbeddingStoreTest::at).toList(), null);
    store.remove("a");
    store.removeAll(List.of("c", "d", "not there"));
    assertEquals(List.of("b", "e"), ids(at(0), 5, 0, null));
    assertThrows(IllegalArgumentException.class, () -> store.removeAll(List.of()));
    assertThrows(IllegalArgumentException.class, () -> store.removeAll((Filter) null));
    store.removeAll();
    assertEquals(List.of(), ids(at(0), 5, 0, null));
    store.add("b", Embedding.from(List.of(1f, 2f, 3f)));
    assertEquals(1, ids(Embedding.from(List.of(1f, 2f, 3f)), 5, 0, null).size());
    var two = List.of("x", "y");
    assertThrows(IllegalArgumentException.class, () -> store.addAll(two, List.of(at(1)), null));
  }

  @Test
  void metadataKeepsItsTypes() {
    var uuid = UUID.randomUUID();
    var all =
        new Metadata()
            .put("s", "Iago")
            .put("i", 1)
            .put("l", 1L << 40)
            .put("f", 1.5f)
            .put("d", 0.1)
            .put("u", uuid);
    store.add(at(1), TextSegment.from("text", all));
    var request = EmbeddingSearchRequest.builder().queryEmbedding(at(1)).build();
    var found = store.search(request).matches().getFirst().embedded().metadata();
    assertEquals(all.toMap(), found.toMap());
  }

  @Test
  void passagesAreContents() {
    try (var index = Index.open(temp.resolve("index"), null)) {
      index.add(
          List.of(
              new Document("a", "Rain falls.\n\nThe garden is wet."),
              new Document("b", "The garden is dry.")));
      var found = GatunContentRetriever.of(index, o -> o.count(1)).retrieve(Query.from("rain"));
      assertEquals(1, found.size());
      var segment = found.getFirst().textSegment();
      assertEquals("Rain falls.\n\nThe garden is wet.", segment.text());
      assertEquals("a", segment.metadata().getString("source"));
      assertEquals(0, segment.metadata().getInteger("start"));
      assertEquals(31, segment.metadata().getInteger("end"));
      assertEquals(1, segment.metadata().getInteger("line"));
      assertEquals(1 / 61.0, found.getFirst().metadata().get(ContentMetadata.SCORE));
      assertEquals(2, GatunContentRetriever.of(index).retrieve(Query.from("garden")).size());
      assertEquals(List.of(), GatunContentRetriever.of(index).retrieve(Query.from("zebra")));
    }
  }
}
