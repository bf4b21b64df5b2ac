package io.gatun.search;

import io.gatun.models.image.Image;
import io.gatun.search.Settings.Kind;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.apache.lucene.search.KnnFloatVectorQuery;

/// Pictures that are found by what a text says of them, or by another picture, in a folder.
///
/// ```java
/// try (var clip = CLIPModel.load(Path.of("openai/clip-vit-base-patch32"), Backend.NATIVE, 2);
///     var index = ImageIndex.open(Path.of("index"), ImageEmbedder.of(clip, "clip"))) {
///   index.update(report -> {}, Path.of("photos"));
///   for (var picture : index.search("a dog in the snow", 5)) {
///     System.out.println(picture.similarity() + "  " + picture.file());
///   }
/// }
/// ```
///
/// What is written is there as in an [Index]: whole, whatever becomes of the process. One process
/// writes to an index; any number may search in it meanwhile. Any thread may use it.
public final class ImageIndex implements AutoCloseable {
  /// The folder of an index that stands within the folder of its pictures.
  public static final String FOLDER = ".gatun-images";

  /// The graph compares vectors of a byte a number: the nearest are among somewhat more.
  private static final int CANDIDATES = 50;

  /// A picture that was found.
  ///
  /// @param file its absolute path
  /// @param similarity the cosine of its vector and that of what was looked for: of CLIP and a
  ///   text, 0.3 is much
  public record Picture(Path file, double similarity) {}

  private final Store store;
  private final ImageEmbedder embedder;

  private ImageIndex(Store store, ImageEmbedder embedder) {
    this.store = store;
    this.embedder = embedder;
  }

  /// Opens the index in a folder, or makes one there.
  ///
  /// @param embedder makes the vectors, and stays the caller's to close
  /// @throws SearchException if the folder holds something else, or an index that was made with
  ///   another embedder
  public static ImageIndex open(Path folder, ImageEmbedder embedder) {
    Objects.requireNonNull(folder, "the index's folder is null");
    Objects.requireNonNull(embedder, "the embedder is null");
    var made = Store.settings(folder);
    if (made == null) {
      made =
          new Settings(
              Kind.PICTURES,
              embedder.name(),
              embedder.dimension(),
              0,
              0,
              Settings.sampleOf(embedder));
    } else {
      made.require(Kind.PICTURES, folder);
      if (!made.areOf(embedder)) {
        throw new SearchException(
            "%s: was made with %s, whose vectors have %d numbers; %s makes others, of %d: open it with that one, or make another index"
                .formatted(
                    folder,
                    made.embedder(),
                    made.dimension(),
                    embedder.name(),
                    embedder.dimension()));
      }
    }
    return new ImageIndex(Store.open(folder, made), embedder);
  }

  /// The name of the embedder that an index was made with; empty if there is no index.
  ///
  /// @throws SearchException if the folder holds an index of something else
  public static String embedderOf(Path folder) {
    var made = Store.settings(folder);
    if (made == null) {
      return "";
    }
    made.require(Kind.PICTURES, folder);
    return made.embedder();
  }

  /// Adds what is new or has changed of files, and of all PNG, JPEG, BMP, GIF and WebP files in
  /// folders, and removes what is no longer there. Hidden files are left out.
  ///
  /// @param progress told how far it has come, after each lot of pictures
  /// @return what became of them; one that cannot be read is among the failures, and others go on
  /// @throws SearchException if the index cannot be written, or there is no such file
  public IndexReport update(Consumer<IndexReport> progress, Path... filesAndFolders) {
    try (var intake = new PictureIntake(store, embedder, progress)) {
      for (Path path : filesAndFolders) {
        new FileWalk(store, intake).update(path.toAbsolutePath().normalize());
      }
      return intake.finish();
    }
  }

  /// The pictures that a text fits best, the best first.
  ///
  /// @param count the most that are returned
  /// @throws IllegalArgumentException if the text is empty or too long
  public List<Picture> search(String text, int count) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("the text is empty; need what the picture shows");
    }
    return nearest(embedder.text(text), count);
  }

  /// The pictures that are most like another, the most similar first.
  ///
  /// @param count the most that are returned
  /// @throws io.gatun.models.image.ImageException if its middle cannot be read
  public List<Picture> search(Image like, int count) {
    return nearest(embedder.images(List.of(like)).getFirst(), count);
  }

  private List<Picture> nearest(float[] vector, int count) {
    if (count < 1 || count > 10_000) {
      throw new IllegalArgumentException("%d pictures; need 1 to 10,000".formatted(count));
    }
    float[] unit = Vectors.unit(vector);
    return store.read(
        searcher -> {
          int candidates = Math.max(count, CANDIDATES);
          var query = new KnnFloatVectorQuery(Store.VECTOR, unit, candidates);
          var found = new ArrayList<Picture>();
          for (var hit : searcher.search(query, candidates).scoreDocs) {
            String file = searcher.storedFields().document(hit.doc).get(Store.SOURCE);
            float[] its = Vectors.stored(searcher, Store.VECTOR, hit.doc);
            found.add(new Picture(Path.of(file), Vectors.dot(unit, its)));
          }
          found.sort(
              Comparator.comparingDouble((Picture picture) -> -picture.similarity())
                  .thenComparing(Picture::file));
          return List.copyOf(found.subList(0, Math.min(count, found.size())));
        });
  }

  /// The number of pictures.
  public int size() {
    return store.sourceCount();
  }

  /// `ImageIndex(120 pictures, clip-vit-base-patch32 of 512)`.
  @Override
  public String toString() {
    var made = store.settings();
    return "ImageIndex(%,d pictures, %s of %d)"
        .formatted(size(), made.embedder(), made.dimension());
  }

  /// Ends writing and searching.
  @Override
  public void close() {
    store.close();
  }
}
