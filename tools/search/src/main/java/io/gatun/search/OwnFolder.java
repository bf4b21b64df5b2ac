package io.gatun.search;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.search.SearcherManager;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.store.LockObtainFailedException;

/// A folder of Lucene's that this process alone has open, where what was written last is found.
final class OwnFolder implements AutoCloseable {
  /// What is done with the writer.
  interface Change {
    void make(IndexWriter writer) throws IOException;
  }

  private final Path folder;
  private final FSDirectory directory;
  private final IndexWriter writer;
  private final SearcherManager searchers;

  private OwnFolder(Path folder, FSDirectory directory, IndexWriter writer) throws IOException {
    this.folder = folder;
    this.directory = directory;
    this.writer = writer;
    searchers = new SearcherManager(writer, null);
  }

  /// Opens a folder, or makes it.
  ///
  /// @param kind what it is called
  /// @param settings that it says of itself; null for none
  /// @throws SearchException if it holds something else, or another process has it open
  static OwnFolder open(Path folder, String kind, Map<String, String> settings) {
    try {
      if (!Files.isDirectory(folder) || !Store.exists(folder)) {
        Store.checkEmpty(folder);
        Files.createDirectories(folder);
      }
      var directory = FSDirectory.open(folder);
      try {
        var writer = new IndexWriter(directory, Store.config());
        if (settings != null) {
          writer.setLiveCommitData(settings.entrySet());
          writer.commit();
        }
        return new OwnFolder(folder, directory, writer);
      } catch (LockObtainFailedException e) {
        directory.close();
        throw new SearchException(
            "%s: another process has this %s open".formatted(folder, kind), e);
      } catch (IOException | RuntimeException e) {
        directory.close();
        throw e;
      }
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  <T> T read(Store.Use<T> use) {
    try {
      searchers.maybeRefreshBlocking();
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

  /// Changes what is there, for good with the next [#commit].
  void change(Change change) {
    try {
      change.make(writer);
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  /// Notes what the folder says of itself, for good with the next [#commit] or at the end.
  void note(Map<String, String> notes) {
    writer.setLiveCommitData(notes.entrySet());
  }

  /// Changes what is there for good.
  void commit(Change change) {
    change(
        w -> {
          change.make(w);
          w.commit();
        });
  }

  @Override
  public void close() {
    try (directory;
        searchers) {
      writer.close();
    } catch (IOException e) {
      throw SearchException.of(folder, e);
    }
  }

  @Override
  public String toString() {
    return folder.toString();
  }
}
