package io.gatun.langchain4j;

import dev.langchain4j.data.document.Metadata;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.rag.content.Content;
import dev.langchain4j.rag.content.ContentMetadata;
import dev.langchain4j.rag.content.retriever.ContentRetriever;
import dev.langchain4j.rag.query.Query;
import io.gatun.search.Index;
import io.gatun.search.Passage;
import io.gatun.search.SearchOptions;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/// Finds passages of an [Index], by words and by meaning, for LangChain4j's answers from documents.
/// It needs `io.gatun:gatun-search`.
///
/// Each passage's metadata says where it stands: `source`, `start`, `end` and `line`, in a PDF
/// `page` and `last_page`; its score is that of [Passage]. Any thread may use it.
public final class GatunContentRetriever implements ContentRetriever {
  private final Index index;
  private final Consumer<SearchOptions> choose;

  private GatunContentRetriever(Index index, Consumer<SearchOptions> choose) {
    this.index = Objects.requireNonNull(index, "the index is null");
    this.choose = Objects.requireNonNull(choose, "what chooses the options is null");
  }

  /// Finds the best five.
  ///
  /// @param index stays the caller's to close
  public static GatunContentRetriever of(Index index) {
    return of(index, o -> {});
  }

  /// Finds as many as are chosen.
  ///
  /// @param index stays the caller's to close
  /// @param choose how passages are looked for, how many, and whether a reranker sorts them
  public static GatunContentRetriever of(Index index, Consumer<SearchOptions> choose) {
    return new GatunContentRetriever(index, choose);
  }

  @Override
  public List<Content> retrieve(Query query) {
    return index.search(query.text(), choose).stream().map(GatunContentRetriever::content).toList();
  }

  private static Content content(Passage passage) {
    var where =
        new Metadata()
            .put("source", passage.source())
            .put("start", passage.start())
            .put("end", passage.end())
            .put("line", passage.line());
    if (passage.page() > 0) {
      where.put("page", passage.page()).put("last_page", passage.lastPage());
    }
    return Content.from(
        TextSegment.from(passage.text(), where), Map.of(ContentMetadata.SCORE, passage.score()));
  }
}
