package io.gatun.search;

import io.gatun.search.Store.State;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Takes what is to be found into an index, many together, and counts what became of it.
abstract class Intake implements AutoCloseable {
  private final Store store;
  private final Consumer<IndexReport> progress;
  private final int commit;
  private final List<String> failures = new ArrayList<>();
  private int uncommitted;
  private int added;
  private int unchanged;
  private int removed;
  private int ignored;
  private int chunks;

  /// @param commit chunks that are lost at most when the process is killed, those that wait aside
  Intake(Store store, Consumer<IndexReport> progress, int commit) {
    this.store = store;
    this.progress = progress;
    this.commit = commit;
  }

  /// Whether it reads files of this ending.
  abstract boolean takes(String kind);

  /// Refuses files that are too large to be read.
  ///
  /// @throws SearchException if one is
  abstract void checkSize(Path file, long bytes);

  /// Takes a file, which may wait until there are more.
  ///
  /// @throws SearchException if it cannot be read
  abstract void add(Path file, byte[] bytes, State state);

  /// Writes what waits.
  ///
  /// @return the number of chunks
  abstract int writeWaiting();

  final void added() {
    added++;
  }

  final void unchanged() {
    unchanged++;
  }

  final void ignored() {
    ignored++;
  }

  final void remove(String source) {
    store.remove(source);
    removed++;
    uncommitted++;
  }

  /// Something that cannot be read.
  final void fail(String said) {
    failures.add(said);
  }

  final void write() {
    int written = writeWaiting();
    chunks += written;
    uncommitted += written;
    if (uncommitted >= commit) {
      store.commit();
      uncommitted = 0;
    }
    progress.accept(report());
  }

  final IndexReport finish() {
    write();
    store.commit();
    return report();
  }

  private IndexReport report() {
    return new IndexReport(added, unchanged, removed, ignored, chunks, failures);
  }

  /// Keeps what was written, also if something failed behind it.
  @Override
  public final void close() {
    store.commit();
  }
}
