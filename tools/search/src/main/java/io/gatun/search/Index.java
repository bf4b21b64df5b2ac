package io.gatun.search;

import io.gatun.search.Settings.Kind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;

/// Documents that are found by words and by meaning, in a folder.
///
/// ```java
/// try (var model = TextEmbedder.load("BAAI/bge-small-en-v1.5");
///     var index = Index.open(Path.of("index"), Embedder.of(model, "BAAI/bge-small-en-v1.5"))) {
///   index.update(Path.of("docs"));
///   for (Passage passage : index.search("What is rain?")) {
///     System.out.println(passage.place() + "  " + passage.text());
///   }
/// }
/// ```
///
/// Documents are there once, and whole, from when a method that adds them returns; if the process
/// is killed before, those that were done are there, and to add all again does only the rest. One
/// process writes to an index; any number may search in it meanwhile. Any thread may use it.
public final class Index implements AutoCloseable {
  /// The folder of an index that stands within the folder of its documents.
  public static final String FOLDER = ".gatun-index";

  private final Store store;
  private final Embedder embedder;
  private final IndexOptions options;
  private final Search search;

  private Index(Store store, Embedder embedder, IndexOptions options) {
    this.store = store;
    this.embedder = embedder;
    this.options = options;
    search = new Search(store, embedder);
  }

  /// Opens the index in a folder, or makes one there, with the default options.
  ///
  /// @throws SearchException as the other `open`
  public static Index open(Path folder, Embedder embedder) {
    return open(folder, embedder, o -> {});
  }

  /// Opens the index in a folder, or makes one there.
  ///
  /// @param embedder makes the vectors, and stays the caller's to close; null for an index by words
  ///   alone, or to search in another one by words
  /// @throws SearchException if the folder holds something else, or an index that was made with
  ///   another embedder or other chunks
  public static Index open(Path folder, Embedder embedder, Consumer<IndexOptions> choose) {
    Objects.requireNonNull(folder, "the index's folder is null");
    var options = new IndexOptions();
    choose.accept(options);
    var made = Store.settings(folder);
    if (made == null) {
      made = chosen(embedder, options);
    } else {
      check(folder, made, embedder, options);
    }
    return new Index(Store.open(folder, made), embedder, options);
  }

  /// Whether a folder holds an index.
  public static boolean exists(Path folder) {
    return Store.settings(folder) != null;
  }

  /// Where the index of a folder is: the folder itself, or [#FOLDER] in it if the folder is one of
  /// documents.
  public static Path find(Path folder) {
    Path within = folder.resolve(FOLDER);
    return !exists(folder) && exists(within) ? within : folder;
  }

  /// The name of the embedder that an index was made with; empty if it has no vectors.
  ///
  /// @throws SearchException if there is no index in that folder
  public static String embedderOf(Path folder) {
    var made = Store.settings(folder);
    if (made == null) {
      throw new SearchException(folder + ": holds no index; make one with gatun index");
    }
    made.require(Kind.DOCUMENTS, folder);
    return made.embedder();
  }

  private static Settings chosen(Embedder embedder, IndexOptions options) {
    int longest = embedder == null ? Integer.MAX_VALUE : embedder.maxTokens();
    int size = options.chunkTokens == null ? IndexOptions.CHUNK_TOKENS : options.chunkTokens;
    if (options.chunkTokens != null && size > longest) {
      throw new SearchException(
          "chunks of %d tokens are asked for; the embedder %s reads %d at most"
              .formatted(size, embedder.name(), longest));
    }
    size = Math.min(size, longest);
    int overlap = options.overlapTokens == null ? size / 8 : options.overlapTokens;
    if (overlap > size / 2) {
      throw new SearchException(
          "an overlap of %d tokens is asked for; need half of a chunk's %d or fewer"
              .formatted(overlap, size));
    }
    return embedder == null
        ? new Settings(Kind.DOCUMENTS, "", 0, size, overlap, new float[0])
        : new Settings(
            Kind.DOCUMENTS,
            embedder.name(),
            embedder.dimension(),
            size,
            overlap,
            Settings.sampleOf(embedder));
  }

  private static void check(Path folder, Settings made, Embedder embedder, IndexOptions options) {
    made.require(Kind.DOCUMENTS, folder);
    if (embedder != null) {
      if (!made.hasVectors()) {
        throw new SearchException(
            "%s: was made without an embedder and has no vectors; open it without one, or make another index"
                .formatted(folder));
      }
      if (!made.areOf(embedder)) {
        throw new SearchException(
            "%s: was made with the embedder %s, whose vectors have %d numbers; this one, %s, makes others, of %d. Vectors of two models do not compare: open it with that one, or make another index"
                .formatted(
                    folder,
                    made.embedder(),
                    made.dimension(),
                    embedder.name(),
                    embedder.dimension()));
      }
    }
    if (options.chunkTokens != null && options.chunkTokens != made.chunkTokens()
        || options.overlapTokens != null && options.overlapTokens != made.overlapTokens()) {
      throw new SearchException(
          "%s: was made with chunks of %d tokens, of which neighbours share %d; others need another index"
              .formatted(folder, made.chunkTokens(), made.overlapTokens()));
    }
  }

  /// Adds texts, each in the place of what its source had.
  ///
  /// @throws SearchException if the index cannot be written
  public IndexReport add(List<Document> documents) {
    try (var intake = intake()) {
      for (Document document : documents) {
        intake.add(document);
      }
      return intake.finish();
    }
  }

  /// Adds what is new or has changed of files, and of all files in folders that are text, Markdown,
  /// HTML or PDF, and removes what is no longer there. Hidden files are left out.
  ///
  /// A file is known by its absolute path. One with the same time and length is taken for
  /// unchanged; another is read, and is unchanged if it has the same bytes.
  ///
  /// @return what became of them; a file that cannot be read is among the failures, and others go
  ///   on
  /// @throws SearchException if the index cannot be written, or there is no such file
  public IndexReport update(Path... filesAndFolders) {
    try (var intake = intake()) {
      for (Path path : filesAndFolders) {
        new FileWalk(store, intake).update(path.toAbsolutePath().normalize());
      }
      return intake.finish();
    }
  }

  private TextIntake intake() {
    var made = store.settings();
    if (made.hasVectors() && embedder == null) {
      throw new SearchException(
          "this index was made with the embedder %s; open it with that one to add documents"
              .formatted(made.embedder()));
    }
    ToIntFunction<String> tokens = embedder == null ? Index::words : embedder::tokens;
    var chunker = new Chunker(tokens, made.chunkTokens(), made.overlapTokens());
    return new TextIntake(store, chunker, embedder, options);
  }

  /// About as many tokens as a model would read: two for every three words of some length.
  private static int words(String text) {
    return text.isEmpty() ? 0 : 1 + text.length() / 6;
  }

  /// Removes a document.
  ///
  /// @return whether it was there
  public boolean remove(String source) {
    boolean there = store.state(source) != null;
    store.remove(source);
    store.commit();
    return there;
  }

  /// The passages that fit best, with the default options.
  ///
  /// @throws SearchException as the other `search`
  public List<Passage> search(String query) {
    return search(query, o -> {});
  }

  /// The passages that fit best, the best first.
  ///
  /// @throws SearchException if vectors are asked for and there are none, or the query has too many
  ///   words
  /// @throws IllegalArgumentException if the query is empty, or too long for the embedder
  public List<Passage> search(String query, Consumer<SearchOptions> choose) {
    var how = new SearchOptions();
    choose.accept(how);
    return search.find(query, how);
  }

  /// Its documents in the order of their names.
  ///
  /// @param after the name behind which to begin; empty for the first
  /// @param most how many
  public List<Source> sources(String after, int most) {
    return new ArrayList<>(store.sources("", after, most));
  }

  /// The number of documents.
  public int size() {
    return store.sourceCount();
  }

  /// The number of chunks of all documents.
  public int chunks() {
    return store.chunkCount();
  }

  /// `Index(12 documents, 340 chunks, bge-small of 384)`.
  @Override
  public String toString() {
    var made = store.settings();
    return "Index(%,d documents, %,d chunks, %s)"
        .formatted(
            size(),
            chunks(),
            made.hasVectors() ? made.embedder() + " of " + made.dimension() : "by words alone");
  }

  /// Ends writing and searching.
  @Override
  public void close() {
    store.close();
  }
}
