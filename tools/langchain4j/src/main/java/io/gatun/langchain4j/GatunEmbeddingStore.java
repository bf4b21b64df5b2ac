package io.gatun.langchain4j;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.langchain4j.data.document.Metadata;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.store.embedding.EmbeddingMatch;
import dev.langchain4j.store.embedding.EmbeddingSearchRequest;
import dev.langchain4j.store.embedding.EmbeddingSearchResult;
import dev.langchain4j.store.embedding.EmbeddingStore;
import dev.langchain4j.store.embedding.filter.Filter;
import io.gatun.search.VectorIndex;
import io.gatun.search.VectorIndex.Entry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;

/// LangChain4j's store of vectors and texts, in a folder of Lucene's. It needs
/// `io.gatun:gatun-search`.
///
/// Scores are LangChain4j's relevance scores, (1 + cosine) / 2. All filters by metadata are
/// honoured; a search with one compares all vectors that it leaves. Any thread may use it; one
/// process has a folder open.
public final class GatunEmbeddingStore implements EmbeddingStore<TextSegment>, AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final VectorIndex index;

  private GatunEmbeddingStore(VectorIndex index) {
    this.index = index;
  }

  /// Opens the store in a folder, or makes one there.
  ///
  /// @throws io.gatun.search.SearchException if the folder holds something else, or another process
  ///   has it open
  public static GatunEmbeddingStore open(Path folder) {
    return new GatunEmbeddingStore(VectorIndex.open(folder));
  }

  @Override
  public String add(Embedding embedding) {
    return add(embedding, null);
  }

  @Override
  public void add(String id, Embedding embedding) {
    index.add(List.of(entry(id, embedding, null)));
  }

  @Override
  public String add(Embedding embedding, TextSegment segment) {
    String id = generateIds(1).getFirst();
    index.add(List.of(entry(id, embedding, segment)));
    return id;
  }

  @Override
  public List<String> addAll(List<Embedding> embeddings) {
    var ids = generateIds(embeddings.size());
    addAll(ids, embeddings, null);
    return ids;
  }

  /// Adds vectors, each in the place of what had its id.
  ///
  /// @param segments null for none
  /// @throws IllegalArgumentException if the lists are not of one length, or a vector has another
  ///   length than those that are there
  @Override
  public void addAll(List<String> ids, List<Embedding> embeddings, List<TextSegment> segments) {
    if (ids.size() != embeddings.size()
        || segments != null && segments.size() != embeddings.size()) {
      throw new IllegalArgumentException(
          "%d ids, %d embeddings and %s texts; need as many of each"
              .formatted(ids.size(), embeddings.size(), segments == null ? "no" : segments.size()));
    }
    var entries = new ArrayList<Entry>();
    for (int i = 0; i < ids.size(); i++) {
      entries.add(entry(ids.get(i), embeddings.get(i), segments == null ? null : segments.get(i)));
    }
    index.add(entries);
  }

  private static Entry entry(String id, Embedding embedding, TextSegment segment) {
    return segment == null
        ? new Entry(id, embedding.vector(), null, null)
        : new Entry(id, embedding.vector(), segment.text(), notes(segment.metadata()));
  }

  @Override
  public void removeAll(Collection<String> ids) {
    if (ids == null || ids.isEmpty()) {
      throw new IllegalArgumentException("ids cannot be null or empty");
    }
    index.remove(List.copyOf(ids));
  }

  @Override
  public void removeAll(Filter filter) {
    if (filter == null) {
      throw new IllegalArgumentException("filter cannot be null");
    }
    index.removeIf(by(filter));
  }

  @Override
  public void removeAll() {
    index.clear();
  }

  /// The nearest to the request's vector, the nearest first.
  ///
  /// @throws IllegalArgumentException if the vector has another length than those that are there
  @Override
  public EmbeddingSearchResult<TextSegment> search(EmbeddingSearchRequest request) {
    Predicate<String> notes = request.filter() == null ? null : by(request.filter());
    var hits = index.search(request.queryEmbedding().vector(), request.maxResults(), notes);
    var matches = new ArrayList<EmbeddingMatch<TextSegment>>();
    for (var hit : hits) {
      if (hit.score() >= request.minScore()) {
        var entry = hit.entry();
        var segment =
            entry.text() == null ? null : TextSegment.from(entry.text(), metadata(entry.notes()));
        matches.add(
            new EmbeddingMatch<>(hit.score(), entry.id(), Embedding.from(entry.vector()), segment));
      }
    }
    return new EmbeddingSearchResult<>(matches);
  }

  private static Predicate<String> by(Filter filter) {
    return notes -> filter.test(metadata(notes));
  }

  /// Values with their types, as a letter before each.
  private static String notes(Metadata metadata) {
    var all = new LinkedHashMap<String, String>();
    metadata
        .toMap()
        .forEach(
            (key, value) -> {
              String type = value instanceof UUID ? "U" : value.getClass().getSimpleName();
              all.put(key, type.charAt(0) + value.toString());
            });
    try {
      return JSON.writeValueAsString(all);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e); // texts only
    }
  }

  /// @param notes null for none
  private static Metadata metadata(String notes) {
    var metadata = new Metadata();
    if (notes == null) {
      return metadata;
    }
    try {
      Map<String, String> all = JSON.readValue(notes, new TypeReference<>() {});
      all.forEach(
          (key, value) -> {
            String text = value.substring(1);
            switch (value.charAt(0)) {
              case 'U' -> metadata.put(key, UUID.fromString(text));
              case 'I' -> metadata.put(key, Integer.parseInt(text));
              case 'L' -> metadata.put(key, Long.parseLong(text));
              case 'F' -> metadata.put(key, Float.parseFloat(text));
              case 'D' -> metadata.put(key, Double.parseDouble(text));
              default -> metadata.put(key, text);
            }
          });
      return metadata;
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("metadata that this store has not written: " + notes, e);
    }
  }

  /// Ends writing and searching.
  @Override
  public void close() {
    index.close();
  }
}
