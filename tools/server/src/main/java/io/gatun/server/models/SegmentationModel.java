package io.gatun.server.models;

import io.gatun.models.image.Image;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.Sam;
import io.gatun.server.http.ApiException;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.UUID;
import org.eclipse.jetty.http.HttpStatus;

/// A model that segments, with the images that it has encoded: the least recently used go when
/// there are too many, all when it is unloaded.
public final class SegmentationModel implements AutoCloseable {
  private static final int MOST = 64;
  private static final long MOST_BYTES = 1L << 29;

  /// An image that stays until this is closed.
  public final class Kept implements AutoCloseable {
    private final String id = UUID.randomUUID().toString();
    private final Image image;
    private final EncodedImage encoded;
    private int users = 1;

    private Kept(Image image, EncodedImage encoded) {
      this.image = image;
      this.encoded = encoded;
    }

    /// By which it is asked for; nobody guesses another's.
    public String id() {
      return id;
    }

    public Image image() {
      return image;
    }

    public EncodedImage encoded() {
      return encoded;
    }

    /// Its pixels, and about what the network makes of them.
    private long bytes() {
      return image.pixels().byteSize() + (8L << 20);
    }

    @Override
    public void close() {
      synchronized (images) {
        users--;
        makeRoom();
      }
    }
  }

  private final Sam sam;
  private final SequencedMap<String, Kept> images = new LinkedHashMap<>();

  SegmentationModel(Sam sam) {
    this.sam = sam;
  }

  public Sam sam() {
    return sam;
  }

  /// Encodes an image and keeps it.
  public Kept add(Image image) {
    var kept = new Kept(image, sam.encode(image));
    synchronized (images) {
      images.putLast(kept.id, kept);
      makeRoom();
    }
    return kept;
  }

  /// An image that was encoded before.
  ///
  /// @throws ApiException if it is not kept
  public Kept get(String id) {
    synchronized (images) {
      var kept = images.get(id);
      if (kept == null) {
        throw ApiException.of(
            HttpStatus.NOT_FOUND_404,
            "image_not_found",
            "image_id",
            "this image is not kept, or not any more: send it again as \"image\"");
      }
      images.putLast(id, kept);
      kept.users++;
      return kept;
    }
  }

  private void makeRoom() {
    long bytes = images.values().stream().mapToLong(Kept::bytes).sum();
    for (var all = images.values().iterator(); all.hasNext(); ) {
      if (bytes <= MOST_BYTES && images.size() <= MOST) {
        return;
      }
      var kept = all.next();
      if (kept.users == 0) {
        all.remove();
        bytes -= kept.bytes();
        kept.encoded.close();
      }
    }
  }

  @Override
  public void close() {
    synchronized (images) {
      images.values().forEach(kept -> kept.encoded.close());
      images.clear();
    }
    sam.close();
  }
}
