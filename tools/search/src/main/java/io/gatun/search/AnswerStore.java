package io.gatun.search;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.document.StoredField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.index.Term;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.MatchAllDocsQuery;
import org.apache.lucene.search.TermQuery;

/// An answer cache as Lucene keeps it: a document for each answer, and one for each pair of
/// questions that was confirmed or refuted.
final class AnswerStore implements AutoCloseable {
  private static final String KEY = "key";
  private static final String SCOPE = "scope";
  private static final String QUESTION = "question";
  private static final String ANSWER = "answer";
  private static final String SECONDS = "seconds";
  private static final String CLUSTER = "cluster";
  private static final String VECTOR = "vector";
  private static final String PAIR = "pair";
  private static final String SAME = "same";
  private static final String SIMILARITY = "similarity";

  /// Neighbours that the graph is asked for, of which the nearest counts.
  private static final int NEIGHBOURS = 10;

  /// An answer.
  record Entry(String question, String answer, double seconds, String cluster, double similarity) {}

  /// Takes pairs that are known.
  interface Pairs {
    void take(String cluster, double similarity, boolean same);
  }

  private final OwnFolder own;

  private AnswerStore(OwnFolder own) {
    this.own = own;
  }

  static AnswerStore open(Path folder, Settings made, Embedder embedder) {
    var known = Store.settings(folder);
    if (known != null) {
      known.require(Settings.Kind.ANSWERS, folder);
    }
    if (known != null && embedder != null && !known.areOf(embedder)) {
      throw new SearchException(
          "%s: was made with %s; this embedder is %s. Vectors of two models do not compare: open it with that one, or make another cache"
              .formatted(
                  folder,
                  known.hasVectors() ? "the embedder " + known.embedder() : "no embedder",
                  embedder.name()));
    }
    return new AnswerStore(OwnFolder.open(folder, "cache", (known == null ? made : known).toMap()));
  }

  /// What tells a question of a scope apart from all others.
  static String key(String scope, String question) {
    return Hashes.of((scope + question).getBytes(StandardCharsets.UTF_8));
  }

  /// The answer to a question; null if there is none.
  Entry same(String scope, String question) {
    return own.read(
        searcher -> {
          var found = searcher.search(new TermQuery(new Term(KEY, key(scope, question))), 1);
          return found.scoreDocs.length == 0 ? null : entry(searcher, found.scoreDocs[0].doc, 1);
        });
  }

  /// The question that is most similar; null if there is none.
  Entry nearest(String scope, float[] vector) {
    return own.read(
        searcher -> {
          var query =
              new KnnFloatVectorQuery(
                  VECTOR, vector, NEIGHBOURS, new TermQuery(new Term(SCOPE, scope)));
          var found = searcher.search(query, 1);
          if (found.scoreDocs.length == 0) {
            return null;
          }
          // Lucene's score of two unit vectors is (1 + cosine) / 2.
          return entry(searcher, found.scoreDocs[0].doc, 2 * found.scoreDocs[0].score - 1);
        });
  }

  private static Entry entry(IndexSearcher searcher, int id, double similarity) throws IOException {
    var document = searcher.storedFields().document(id);
    return new Entry(
        document.get(QUESTION),
        document.get(ANSWER),
        document.getField(SECONDS).numericValue().doubleValue(),
        document.get(CLUSTER),
        similarity);
  }

  /// @param vector null for none
  void put(
      String scope,
      String question,
      float[] vector,
      String answer,
      double seconds,
      String cluster) {
    var document = new Document();
    String key = key(scope, question);
    document.add(new StringField(KEY, key, Field.Store.NO));
    document.add(new StringField(SCOPE, scope, Field.Store.NO));
    document.add(new StoredField(QUESTION, question));
    document.add(new StoredField(ANSWER, answer));
    document.add(new StoredField(SECONDS, seconds));
    document.add(new StoredField(CLUSTER, cluster));
    if (vector != null) {
      document.add(new KnnFloatVectorField(VECTOR, vector, VectorSimilarityFunction.DOT_PRODUCT));
    }
    own.commit(writer -> writer.updateDocument(new Term(KEY, key), document));
  }

  /// Notes a pair, for good with the next answer that is put, or at the end.
  void pair(String cluster, double similarity, boolean same) {
    var document = new Document();
    document.add(new StringField(PAIR, PAIR, Field.Store.NO));
    document.add(new StoredField(CLUSTER, cluster));
    document.add(new StoredField(SIMILARITY, similarity));
    document.add(new StoredField(SAME, same ? 1 : 0));
    own.change(writer -> writer.addDocument(document));
  }

  void pairs(Pairs known) {
    own.read(
        searcher -> {
          var stored = searcher.storedFields();
          var query = new TermQuery(new Term(PAIR, PAIR));
          for (var hit :
              searcher.search(query, Math.max(1, searcher.getIndexReader().maxDoc())).scoreDocs) {
            var document = stored.document(hit.doc);
            known.take(
                document.get(CLUSTER),
                document.getField(SIMILARITY).numericValue().doubleValue(),
                document.getField(SAME).numericValue().intValue() == 1);
          }
          return null;
        });
  }

  int size() {
    return own.read(
        searcher ->
            searcher.count(MatchAllDocsQuery.INSTANCE)
                - searcher.count(new TermQuery(new Term(PAIR, PAIR))));
  }

  @Override
  public void close() {
    own.close();
  }
}
