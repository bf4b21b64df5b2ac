package io.gatun.search;

import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import io.gatun.search.Store.State;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Takes pictures, and makes the vectors of some of them together.
final class PictureIntake extends Intake {
  private static final List<String> KINDS = List.of("png", "jpg", "jpeg", "bmp", "gif", "webp");

  /// Pictures whose vectors are made together, or fewer large ones.
  private static final int LOT = 16;

  private static final long LOT_PIXELS = 32_000_000;
  private static final int COMMIT = 8 * LOT;
  private static final long MOST_BYTES = 256L << 20;

  /// A picture is one chunk without text.
  private static final FileText TEXT = new FileText("", new int[0]);

  private static final List<Chunk> CHUNKS = List.of(new Chunk(0, 0));

  private record Waiting(Path file, Image image, State state) {}

  private final Store store;
  private final ImageEmbedder embedder;
  private final List<Waiting> waiting = new ArrayList<>();
  private long pixels;

  PictureIntake(Store store, ImageEmbedder embedder, Consumer<IndexReport> progress) {
    super(store, progress, COMMIT);
    this.store = store;
    this.embedder = embedder;
  }

  @Override
  boolean takes(String kind) {
    return KINDS.contains(kind);
  }

  @Override
  void checkSize(Path file, long bytes) {
    if (bytes > MOST_BYTES) {
      throw new SearchException(
          "%s: has %,d bytes; need %,d or fewer".formatted(file, bytes, MOST_BYTES));
    }
  }

  @Override
  void add(Path file, byte[] bytes, State state) {
    try {
      var image = Image.read(bytes, Image.MAX_PIXELS);
      waiting.add(new Waiting(file, image, state));
      pixels += (long) image.width() * image.height();
    } catch (ImageException e) {
      throw new SearchException(file + ": " + e.getMessage(), e);
    }
    if (waiting.size() >= LOT || pixels >= LOT_PIXELS) {
      write();
    }
  }

  @Override
  int writeWaiting() {
    var lot = List.copyOf(waiting);
    waiting.clear();
    pixels = 0;
    int written = 0;
    try {
      var vectors = embedder.images(lot.stream().map(Waiting::image).toList());
      for (Waiting one : lot) {
        put(one, vectors.get(written++));
      }
    } catch (ImageException e) { // one of them: which, only each alone tells
      for (Waiting one : lot) {
        try {
          put(one, embedder.images(List.of(one.image)).getFirst());
          written++;
        } catch (ImageException failed) {
          fail(one.file + ": " + failed.getMessage());
        }
      }
    }
    return written;
  }

  private void put(Waiting one, float[] vector) {
    store.put(one.file.toString(), TEXT, CHUNKS, List.of(Vectors.unit(vector)), one.state);
    added();
  }
}
