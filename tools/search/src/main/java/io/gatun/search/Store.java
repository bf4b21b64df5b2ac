package io.gatun.search;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.document.NumericDocValuesField;
import org.apache.lucene.document.StoredField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.MultiTerms;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.index.SegmentInfos;
import org.apache.lucene.index.Term;
import org.apache.lucene.index.TermsEnum.SeekStatus;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.search.FieldExistsQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.SearcherManager;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.store.LockObtainFailedException;
import org.apache.lucene.util.BytesRef;
import org.apache.lucene.util.StringHelper;

/// An index as Lucene keeps it: a document for each chunk, and behind those of one source a
/// document with the source's state. Lucene takes and replaces them as one, so a source is there
/// once and whole, or not at all, whenever the process ends. What is written is seen after
/// [#commit].
final class Store implements AutoCloseable {
  static final String TEXT = "text";
  static final String VECTOR = "vector";
  static final String START = "start";
  static final String END = "end";
  static final String LINE = "line";
  static final String PAGE = "page";
  static final String LAST_PAGE = "last-page";
  static final String SOURCE = "source";

  /// The source again, in the document with its state.
  private static final String STATE = "state";

  private static final String MODIFIED = "modified";
  private static final String HASH = "hash";
  private static final String CHUNKS = "chunks";

  private static final double BUFFER_MEGABYTES = 32;

  private static final Pattern LUCENE_FILES =
      Pattern.compile("write\\.lock|(pending_)?segments.*|_.*");

  /// What is known of a source's file.
  ///
  /// @param modified milliseconds, or -1 if the file has to be read to see whether it has changed
  /// @param hash of its bytes
  record State(long modified, String hash) {}

  private final Path folder;
  private final FSDirectory directory;
  private final Settings settings;
  private final SearcherManager searchers;
  private IndexWriter writer;

  private Store(Path folder, FSDirectory directory, Settings settings) throws IOException {
    this.folder = folder;
    this.directory = directory;
    this.settings = settings;
    searchers = new SearcherManager(directory, null);
  }

  /// Whether a folder holds an index.
  static boolean exists(Path folder) {
    try (var directory = FSDirectory.open(folder)) {
      return DirectoryReader.indexExists(directory);
    } catch (IOException e) {
      return false;
    }
  }

  /// What the index in a folder was made with; null if there is none.
  static Settings settings(Path folder) {
    var notes = notes(folder);
    return notes == null ? null : Settings.of(folder, notes);
  }

  /// What was noted with the last commit; null if there is no index.
  static Map<String, String> notes(Path folder) {
    if (!Files.isDirectory(folder) || !exists(folder)) {
      return null;
    }
    try (var directory = FSDirectory.open(folder)) {
      return SegmentInfos.readLatestCommit(directory).getUserData();
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  /// Opens the index in a folder, or makes one there.
  static Store open(Path folder, Settings settings) {
    try {
      boolean fresh = settings(folder) == null;
      if (fresh) {
        checkEmpty(folder);
        Files.createDirectories(folder);
      }
      var directory = FSDirectory.open(folder);
      try {
        if (fresh) {
          try (var writer = new IndexWriter(directory, config())) {
            writer.setLiveCommitData(settings.toMap().entrySet());
          }
        }
        return new Store(folder, directory, settings);
      } catch (IOException | RuntimeException e) {
        directory.close();
        throw e;
      }
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  /// Refuses a folder that holds other files.
  static void checkEmpty(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    if (!Files.isDirectory(folder)) {
      throw new SearchException(folder + ": is a file; an index is a folder");
    }
    try (var files = Files.list(folder)) {
      var other =
          files
              .map(file -> file.getFileName().toString())
              .filter(Predicate.not(LUCENE_FILES.asMatchPredicate()))
              .findFirst();
      if (other.isPresent()) {
        throw new SearchException(
            "%s: holds other files (%s) and no index; name an empty folder, or one that is not there yet"
                .formatted(folder, other.get()));
      }
    }
  }

  /// How Lucene writes all that is Gatun's.
  static IndexWriterConfig config() {
    return new IndexWriterConfig(new StandardAnalyzer())
        .setCodec(LongVectors.codec())
        .setRAMBufferSizeMB(BUFFER_MEGABYTES);
  }

  Settings settings() {
    return settings;
  }

  private synchronized IndexWriter writer() throws IOException {
    if (writer == null) {
      try {
        writer = new IndexWriter(directory, config());
      } catch (LockObtainFailedException e) {
        throw new SearchException(
            "%s: another process is writing to this index; wait until it has ended"
                .formatted(folder),
            e);
      }
    }
    return writer;
  }

  /// Puts a source's chunks in the place of those that it had.
  ///
  /// @param vectors of the chunks; null for none
  void put(String source, FileText text, List<Chunk> chunks, List<float[]> vectors, State state) {
    var documents = new ArrayList<Document>();
    var lines = new Lines(text.text());
    for (int i = 0; i < chunks.size(); i++) {
      Chunk chunk = chunks.get(i);
      var document = new Document();
      document.add(new StringField(SOURCE, source, Field.Store.YES));
      document.add(new TextField(TEXT, chunk.of(text.text()), Field.Store.YES));
      document.add(new StoredField(START, chunk.start()));
      document.add(new StoredField(END, chunk.end()));
      document.add(new StoredField(LINE, lines.at(chunk.start())));
      document.add(new StoredField(PAGE, text.page(chunk.start())));
      document.add(new StoredField(LAST_PAGE, text.page(chunk.end() - 1)));
      if (vectors != null) {
        document.add(
            new KnnFloatVectorField(VECTOR, vectors.get(i), VectorSimilarityFunction.DOT_PRODUCT));
      }
      documents.add(document);
    }
    var last = new Document();
    last.add(new StringField(SOURCE, source, Field.Store.NO));
    last.add(new StringField(STATE, source, Field.Store.YES));
    last.add(new NumericDocValuesField(MODIFIED, state.modified()));
    last.add(new StoredField(HASH, state.hash()));
    last.add(new StoredField(CHUNKS, chunks.size()));
    documents.add(last);
    try {
      writer().updateDocuments(new Term(SOURCE, source), documents);
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  /// Notes that a file has another time, but still the same bytes.
  void touch(String source, long modified) {
    try {
      writer().updateNumericDocValue(new Term(STATE, source), MODIFIED, modified);
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  void remove(String source) {
    try {
      writer().deleteDocuments(new Term(SOURCE, source));
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  /// Makes what was written last, and shows it.
  void commit() {
    try {
      synchronized (this) {
        if (writer != null && writer.hasUncommittedChanges()) {
          writer.setLiveCommitData(settings.toMap().entrySet());
          writer.commit();
        }
      }
      searchers.maybeRefreshBlocking();
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  /// What is done with a searcher.
  interface Use<T> {
    T of(IndexSearcher searcher) throws IOException;
  }

  /// Uses what is there now, what other processes have written included.
  <T> T read(Use<T> use) {
    try {
      searchers.maybeRefresh();
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
    return readCommitted(use);
  }

  /// Uses what this process has committed or seen last, without looking for more.
  private <T> T readCommitted(Use<T> use) {
    try {
      var searcher = searchers.acquire();
      try {
        return use.of(searcher);
      } finally {
        searchers.release(searcher);
      }
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  /// A source's state as it was committed; null if it is not there.
  State state(String source) {
    return readCommitted(
        searcher -> {
          var found = searcher.search(new TermQuery(new Term(STATE, source)), 1);
          if (found.scoreDocs.length == 0) {
            return null;
          }
          int id = found.scoreDocs[0].doc;
          var leaves = searcher.getIndexReader().leaves();
          var leaf = leaves.get(ReaderUtil.subIndex(id, leaves));
          var modified = leaf.reader().getNumericDocValues(MODIFIED);
          modified.advanceExact(id - leaf.docBase);
          String hash = searcher.storedFields().document(id).get(HASH);
          return new State(modified.longValue(), hash);
        });
  }

  /// The sources that begin with `prefix`, in their order, from the one behind `after` on.
  ///
  /// @param most how many
  List<Source> sources(String prefix, String after, int most) {
    return read(
        searcher -> {
          var all = new ArrayList<Source>();
          var terms = MultiTerms.getTerms(searcher.getIndexReader(), STATE);
          if (terms == null) {
            return all;
          }
          var each = terms.iterator();
          var from = new BytesRef(after.compareTo(prefix) > 0 ? after : prefix);
          boolean there = each.seekCeil(from) != SeekStatus.END;
          var begin = new BytesRef(prefix);
          while (there && all.size() < most && StringHelper.startsWith(each.term(), begin)) {
            String name = each.term().utf8ToString();
            var found = searcher.search(new TermQuery(new Term(STATE, name)), 1);
            if (found.scoreDocs.length > 0 && !name.equals(after)) {
              var document = searcher.storedFields().document(found.scoreDocs[0].doc);
              all.add(new Source(name, document.getField(CHUNKS).numericValue().intValue()));
            }
            there = each.next() != null;
          }
          return all;
        });
  }

  /// Greater after each change.
  long version() {
    return read(searcher -> ((DirectoryReader) searcher.getIndexReader()).getVersion());
  }

  /// The number of sources.
  int sourceCount() {
    return read(searcher -> searcher.count(new FieldExistsQuery(MODIFIED)));
  }

  /// The number of chunks.
  int chunkCount() {
    return read(searcher -> searcher.getIndexReader().numDocs()) - sourceCount();
  }

  @Override
  public synchronized void close() {
    try (directory;
        searchers) {
      if (writer != null) {
        commit();
        writer.close();
      }
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }
}
