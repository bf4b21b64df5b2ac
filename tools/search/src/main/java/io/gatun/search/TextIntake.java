package io.gatun.search;

import io.gatun.search.Store.State;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Takes documents: cuts them into chunks, and makes the vectors of many of them together.
final class TextIntake extends Intake {
  /// Chunks whose vectors are made together.
  private static final int LOT = 512;

  private static final int COMMIT = 8 * LOT;

  /// Bytes of a file for each character that a document may have; PDFs hold pictures, too.
  private static final long BYTES_OF_CHARACTER = 8;

  private record Waiting(String source, FileText text, List<Chunk> chunks, State state) {}

  private final Store store;
  private final Chunker chunker;
  private final Embedder embedder;
  private final int maxCharacters;
  private final List<Waiting> waiting = new ArrayList<>();
  private int waitingChunks;

  /// @param embedder null for none
  TextIntake(Store store, Chunker chunker, Embedder embedder, IndexOptions options) {
    super(store, options.progress, COMMIT);
    this.store = store;
    this.chunker = chunker;
    this.embedder = embedder;
    maxCharacters = options.maxCharacters;
  }

  @Override
  boolean takes(String kind) {
    return FileText.KINDS.contains(kind);
  }

  @Override
  void checkSize(Path file, long bytes) {
    if (bytes > BYTES_OF_CHARACTER * maxCharacters) {
      throw new SearchException(
          "%s: has %,d bytes; need %,d or fewer. Split it, or allow more (--max-characters)"
              .formatted(file, bytes, BYTES_OF_CHARACTER * maxCharacters));
    }
  }

  @Override
  void add(Path file, byte[] bytes, State state) {
    add(file.toString(), FileText.of(file, bytes, maxCharacters), state);
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

  private void add(String source, FileText text, State state) {
    var cut = chunker.chunks(text.text());
    waiting.add(new Waiting(source, text, cut, state));
    waitingChunks += cut.size();
    added();
    if (waitingChunks >= LOT) {
      write();
    }
  }

  @Override
  int writeWaiting() {
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
    waiting.clear();
    waitingChunks = 0;
    return texts.size();
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
}
