package io.gatun.search;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.function.Predicate;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.document.StoredField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.index.FieldInfos;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.Term;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.MatchAllDocsQuery;
import org.apache.lucene.search.Query;

/// Vectors that someone else has made, each with a text and notes, in a folder: found by direction.
///
/// What a method adds or removes is so for good when it returns. One process has an index open; any
/// thread may use it.
public final class VectorIndex implements AutoCloseable {
  private static final String ID = "id";
  private static final String TEXT = "text";
  private static final String NOTES = "notes";
  private static final String VECTOR = "vector";

  /// The graph compares vectors of a byte a number: the nearest are among somewhat more.
  private static final int CANDIDATES = 50;

  /// A vector, and what belongs to it.
  ///
  /// @param id what it is known by: another of that id takes its place
  /// @param text null for none
  /// @param notes null for none
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Entry(String id, float[] vector, String text, String notes) {
    /// @throws NullPointerException if the id or the vector is null
    public Entry {
      Objects.requireNonNull(id, "the id is null");
      Objects.requireNonNull(vector, "the vector is null");
    }
  }

  /// What was found.
  ///
  /// @param score (1 + cosine) / 2 of the vectors as they were given, not of rounded ones
  public record Hit(Entry entry, double score) {}

  private final OwnFolder own;

  private VectorIndex(OwnFolder own) {
    this.own = own;
  }

  /// Opens the index in a folder, or makes one there.
  ///
  /// @throws SearchException if the folder holds something else, or another process has it open
  public static VectorIndex open(Path folder) {
    Objects.requireNonNull(folder, "the index's folder is null");
    return new VectorIndex(OwnFolder.open(folder, "index", null));
  }

  /// Adds vectors, each in the place of what had its id.
  ///
  /// @throws SearchException if they cannot be written
  /// @throws IllegalArgumentException if a vector has no direction, or another length than those
  ///   that are there
  public void add(List<Entry> entries) {
    int length = dimension();
    for (Entry entry : entries) {
      length = length == 0 ? entry.vector.length : length;
      check(entry.vector, length);
    }
    own.commit(
        writer -> {
          for (Entry entry : entries) {
            var document = new Document();
            document.add(new StringField(ID, entry.id, Field.Store.YES));
            document.add(
                new KnnFloatVectorField(VECTOR, entry.vector, VectorSimilarityFunction.COSINE));
            if (entry.text != null) {
              document.add(new StoredField(TEXT, entry.text));
            }
            if (entry.notes != null) {
              document.add(new StoredField(NOTES, entry.notes));
            }
            writer.updateDocument(new Term(ID, entry.id), document);
          }
        });
  }

  private void check(float[] vector, int length) {
    if (vector.length != length) {
      throw new IllegalArgumentException(
          "%s: a vector of %d numbers; those of this index have %d, and vectors of two models do not compare"
              .formatted(own, vector.length, length));
    }
    try {
      Vectors.unit(vector);
    } catch (SearchException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  /// The length of its vectors; 0 if there are none.
  public int dimension() {
    return own.read(
        searcher -> {
          var field = FieldInfos.getMergedFieldInfos(searcher.getIndexReader()).fieldInfo(VECTOR);
          return field == null ? 0 : field.getVectorDimension();
        });
  }

  /// Removes what has these ids; those that are not there change nothing.
  public void remove(List<String> ids) {
    own.commit(
        writer ->
            writer.deleteDocuments(ids.stream().map(id -> new Term(ID, id)).toArray(Term[]::new)));
  }

  /// Removes what has such notes.
  ///
  /// @param notes told the notes, which may be null
  public void removeIf(Predicate<String> notes) {
    var gone = new ArrayList<String>();
    own.read(
        searcher -> {
          var stored = searcher.storedFields();
          for (int id : all(searcher)) {
            var document = stored.document(id);
            if (notes.test(document.get(NOTES))) {
              gone.add(document.get(ID));
            }
          }
          return null;
        });
    remove(gone);
  }

  /// Removes all.
  public void clear() {
    own.commit(IndexWriter::deleteAll);
  }

  /// The number of vectors.
  public int size() {
    return own.read(searcher -> searcher.getIndexReader().numDocs());
  }

  /// The nearest, the nearest first.
  ///
  /// @param count the most that are returned
  /// @param notes which may be found, by their notes, which may be null; null for all. All notes
  ///   are read then, and all vectors that are left compared
  /// @throws IllegalArgumentException if the query has no direction, or another length
  public List<Hit> search(float[] query, int count, Predicate<String> notes) {
    int length = dimension();
    if (length == 0) {
      return List.of();
    }
    check(query, length);
    return own.read(
        searcher -> {
          int size = searcher.getIndexReader().numDocs();
          int candidates = Math.min(size, Math.max(count, CANDIDATES));
          int[] ids =
              notes != null || candidates == size
                  ? all(searcher)
                  : ids(searcher, new KnnFloatVectorQuery(VECTOR, query, candidates), candidates);
          var worstFirst = new PriorityQueue<Hit>(Comparator.comparingDouble(Hit::score));
          for (int id : ids) {
            var document = searcher.storedFields().document(id);
            if (notes == null || notes.test(document.get(NOTES))) {
              float[] vector = Vectors.stored(searcher, VECTOR, id);
              var entry =
                  new Entry(document.get(ID), vector, document.get(TEXT), document.get(NOTES));
              worstFirst.add(
                  new Hit(entry, VectorSimilarityFunction.COSINE.compare(query, vector)));
              if (worstFirst.size() > count) {
                worstFirst.remove();
              }
            }
          }
          var hits = new ArrayList<>(worstFirst);
          hits.sort(worstFirst.comparator().reversed());
          return List.copyOf(hits);
        });
  }

  private static int[] all(IndexSearcher searcher) throws IOException {
    return ids(searcher, MatchAllDocsQuery.INSTANCE, searcher.getIndexReader().maxDoc());
  }

  private static int[] ids(IndexSearcher searcher, Query query, int most) throws IOException {
    var found = searcher.search(query, Math.max(1, most)).scoreDocs;
    int[] ids = new int[found.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = found[i].doc;
    }
    return ids;
  }

  @Override
  public void close() {
    own.close();
  }
}
