package io.gatun.search;

import io.gatun.search.SearchOptions.Mode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.document.Document;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.TermQuery;

/// Finds passages by words and by vectors, joins the ranks and has the best sorted once more.
final class Search {
  /// In reciprocal rank fusion (Cormack, Clarke and Buettcher 2009) a rank counts 1/(60 + rank).
  private static final double RANK_CONSTANT = 60;

  private final Store store;
  private final Embedder embedder;

  Search(Store store, Embedder embedder) {
    this.store = store;
    this.embedder = embedder;
  }

  private static final class Found {
    int wordRank;
    int vectorRank;

    double score() {
      return part(wordRank) + part(vectorRank);
    }

    private static double part(int rank) {
      return rank == 0 ? 0 : 1 / (RANK_CONSTANT + rank);
    }
  }

  List<Passage> find(String query, SearchOptions how) {
    if (query.isBlank()) {
      throw new IllegalArgumentException("the query is empty; need what to look for");
    }
    var mode = how.mode;
    if (mode == null) {
      mode = embedder == null ? Mode.WORDS : Mode.HYBRID;
    }
    if (mode != Mode.WORDS && embedder == null) {
      throw new SearchException(
          store.settings().hasVectors()
              ? "vectors are asked for; open the index with its embedder %s"
                  .formatted(store.settings().embedder())
              : "vectors are asked for; this index has none. Make it with an embedder");
    }
    float[] vector = mode == Mode.WORDS ? null : vector(query);
    Query words = mode == Mode.VECTORS ? null : words(query);
    int candidates = Math.max(how.candidates, how.count);
    int wanted = how.reranker == null ? how.count : candidates;
    var passages =
        store.read(
            searcher -> {
              var found = new LinkedHashMap<Integer, Found>();
              if (words != null) {
                int rank = 1;
                for (var hit : searcher.search(words, candidates).scoreDocs) {
                  found.computeIfAbsent(hit.doc, id -> new Found()).wordRank = rank++;
                }
              }
              if (vector != null) {
                int rank = 1;
                var near = new KnnFloatVectorQuery(Store.VECTOR, vector, candidates);
                for (var hit : searcher.search(near, candidates).scoreDocs) {
                  found.computeIfAbsent(hit.doc, id -> new Found()).vectorRank = rank++;
                }
              }
              return passages(searcher, found, wanted);
            });
    return how.reranker == null ? passages : reranked(query, passages, how);
  }

  private float[] vector(String query) {
    int tokens = embedder.tokens(query);
    if (tokens > embedder.maxTokens()) {
      throw new IllegalArgumentException(
          "the query has %,d tokens; the embedder reads %,d: ask in fewer words, or search by words alone (mode words)"
              .formatted(tokens, embedder.maxTokens()));
    }
    return Vectors.unit(embedder.query(query));
  }

  private static List<Passage> passages(
      IndexSearcher searcher, Map<Integer, Found> found, int wanted) throws IOException {
    var best =
        found.entrySet().stream()
            .sorted(
                Comparator.comparingDouble(
                        (Map.Entry<Integer, Found> hit) -> -hit.getValue().score())
                    .thenComparingInt(Map.Entry::getKey))
            .limit(wanted)
            .toList();
    var stored = searcher.storedFields();
    var passages = new ArrayList<Passage>();
    for (var hit : best) {
      var document = stored.document(hit.getKey());
      passages.add(
          new Passage(
              document.get(Store.SOURCE),
              document.get(Store.TEXT),
              number(document, Store.START),
              number(document, Store.END),
              number(document, Store.LINE),
              number(document, Store.PAGE),
              number(document, Store.LAST_PAGE),
              hit.getValue().score(),
              hit.getValue().wordRank,
              hit.getValue().vectorRank));
    }
    return passages;
  }

  private static int number(Document document, String field) {
    return document.getField(field).numericValue().intValue();
  }

  private static List<Passage> reranked(String query, List<Passage> passages, SearchOptions how) {
    if (passages.isEmpty()) {
      return passages;
    }
    float[] scores = how.reranker.score(query, passages.stream().map(Passage::text).toList());
    var all = new ArrayList<Passage>();
    for (int i = 0; i < scores.length; i++) {
      all.add(passages.get(i).withScore(scores[i]));
    }
    all.sort(Comparator.comparingDouble(passage -> -passage.score()));
    return List.copyOf(all.subList(0, Math.min(how.count, all.size())));
  }

  /// Finds texts with any of the query's words; null if it has none.
  private static Query words(String query) {
    var all = new LinkedHashSet<String>();
    try (var analyzer = new StandardAnalyzer();
        var stream = analyzer.tokenStream(Store.TEXT, query)) {
      var term = stream.addAttribute(CharTermAttribute.class);
      stream.reset();
      while (stream.incrementToken()) {
        all.add(term.toString());
      }
      stream.end();
    } catch (IOException e) {
      throw new IllegalStateException(e); // it reads a string
    }
    if (all.size() > IndexSearcher.getMaxClauseCount()) {
      throw new SearchException(
          "the query has %,d different words; need %,d or fewer"
              .formatted(all.size(), IndexSearcher.getMaxClauseCount()));
    }
    if (all.isEmpty()) {
      return null;
    }
    var any = new BooleanQuery.Builder();
    for (String word : all) {
      any.add(new TermQuery(new Term(Store.TEXT, word)), BooleanClause.Occur.SHOULD);
    }
    return any.build();
  }
}
