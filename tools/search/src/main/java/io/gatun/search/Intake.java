package io.gatun.search;

import io.gatun.search.Store.State;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Takes documents into an index: cuts them into chunks, and makes the vectors of many of them
/// together.
final class Intake implements AutoCloseable {
  /// Chunks whose vectors are made together.
  private static final int LOT = 512;

  /// Chunks that are lost at most when the process is killed, those of the documents aside that
  /// were not done.
  private static final int COMMIT = 8 * LOT;

  private record Waiting(String source, FileText text, List<Chunk> chunks, State state) {}

  private final Store store;
  private final Chunker chunker;
  private final Embedder embedder;
  private final Consumer<IndexReport> progress;
  private final List<Waiting> waiting = new ArrayList<>();
  private final List<String> failures = new ArrayList<>();
  private int waitingChunks;
  private int uncommitted;
  private int added;
  private int unchanged;
  private int removed;
  private int ignored;
  private int chunks;

  /// @param embedder null for none
  Intake(Store store, Chunker chunker, Embedder embedder, Consumer<IndexReport> progress) {
    this.store = store;
    this.chunker = chunker;
    this.embedder = embedder;
    this.progress = progress;
  }

  /// A text that is not in a file.
  void add(Document document) {
    String hash = Hashes.of(document.text().getBytes(StandardCharsets.UTF_8));
    var known = store.state(document.source());
    if (known != null && known.hash().equals(hash) && !isWaiting(document.source())) {
      unchanged();
      return;
    }
    add(document.source(), new FileText(document.text(), new int[0]), new State(-1, hash));
  }

  private boolean isWaiting(String source) {
    return waiting.stream().anyMatch(one -> one.source.equals(source));
  }

  void add(String source, FileText text, State state) {
    var cut = chunker.chunks(text.text());
    waiting.add(new Waiting(source, text, cut, state));
    waitingChunks += cut.size();
    added++;
    if (waitingChunks >= LOT) {
      write();
    }
  }

  void unchanged() {
    unchanged++;
  }

  void ignored() {
    ignored++;
  }

  void remove(String source) {
    store.remove(source);
    removed++;
    uncommitted++;
  }

  /// A document that cannot be read.
  void fail(String said) {
    failures.add(said);
  }

  private void write() {
    var texts = new ArrayList<String>();
    for (Waiting document : waiting) {
      document.chunks.forEach(chunk -> texts.add(chunk.of(document.text.text())));
    }
    var vectors = embedder == null ? null : vectors(texts);
    int from = 0;
    for (Waiting document : waiting) {
      int to = from + document.chunks.size();
      store.put(
          document.source,
          document.text,
          document.chunks,
          vectors == null ? null : vectors.subList(from, to),
          document.state);
      from = to;
    }
    chunks += texts.size();
    uncommitted += texts.size();
    waiting.clear();
    waitingChunks = 0;
    if (uncommitted >= COMMIT) {
      store.commit();
      uncommitted = 0;
    }
    progress.accept(report());
  }

  private List<float[]> vectors(List<String> texts) {
    var all = new ArrayList<float[]>();
    for (int from = 0; from < texts.size(); from += LOT) {
      var lot = texts.subList(from, Math.min(from + LOT, texts.size()));
      for (float[] vector : embedder.documents(lot)) {
        all.add(Vectors.unit(vector));
      }
    }
    return all;
  }

  IndexReport finish() {
    write();
    store.commit();
    return report();
  }

  private IndexReport report() {
    return new IndexReport(added, unchanged, removed, ignored, chunks, failures);
  }

  /// Keeps what was written, also if something failed behind it.
  @Override
  public void close() {
    store.commit();
  }
}
