package io.gatun.tests.search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.clip.CLIPModel;
import io.gatun.models.image.Image;
import io.gatun.search.ImageEmbedder;
import io.gatun.search.ImageIndex;
import io.gatun.search.Index;
import io.gatun.search.SearchException;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.Cosine;
import io.gatun.tests.TestData;
import io.gatun.tests.tools.InProcess;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Pictures found by texts and by pictures.
class ImageIndexTest {
  @TempDir private Path temp;
  private Path photos;
  private Path model;

  @BeforeEach
  void pictures() throws Exception {
    model = TestData.shared("clip-random/clip");
    photos = Files.createDirectories(temp.resolve("photos"));
    for (int i = 0; i < 4; i++) {
      Files.copy(model.resolve("golden/" + i + ".png"), photos.resolve("photo" + i + ".png"));
    }
    Files.writeString(photos.resolve("notes.txt"), "no picture");
  }

  private Path photo(int i) {
    return photos.resolve("photo" + i + ".png");
  }

  /// Both ways: the order and the cosines are those of the vectors.
  @Test
  void textsAndPicturesFindPictures() {
    try (var clip = CLIPModel.load(model, Backend.NATIVE, 2);
        var index = ImageIndex.open(temp.resolve("index"), ImageEmbedder.of(clip, "clip"))) {
      var report = index.update(r -> {}, photos);
      assertEquals(4, report.added());
      assertEquals(1, report.ignored());
      assertEquals(List.of(), report.failures());
      assertEquals(4, index.size());

      var images = new ArrayList<Image>();
      for (int i = 0; i < 4; i++) {
        images.add(Image.read(photo(i)));
      }
      float[][] vectors = clip.images(images);
      float[] cat = clip.text("a cat");
      var found = index.search("a cat", 3);
      assertEquals(3, found.size());
      double before = 1;
      for (var picture : found) {
        int i = picture.file().getFileName().toString().charAt(5) - '0';
        assertEquals(photo(i), picture.file());
        assertEquals(Cosine.of(cat, vectors[i]), picture.similarity(), 1e-3);
        assertTrue(picture.similarity() <= before);
        before = picture.similarity();
      }
      for (int i = 0; i < 4; i++) {
        var like = index.search(images.get(i), 1).getFirst();
        assertEquals(photo(i), like.file());
        assertEquals(1, like.similarity(), 1e-3);
      }
      assertThrows(IllegalArgumentException.class, () -> index.search(" ", 1));
      assertThrows(IllegalArgumentException.class, () -> index.search("a cat", 0));
    }
  }

  /// Only what has changed is read; what cannot be read harms no others.
  @Test
  void onlyChangesAreRead() throws Exception {
    try (var clip = CLIPModel.load(model, Backend.NATIVE, 2)) {
      var read = new ArrayList<Integer>();
      var counting =
          new ImageEmbedder() {
            private final ImageEmbedder real = ImageEmbedder.of(clip, "clip");

            @Override
            public String name() {
              return real.name();
            }

            @Override
            public int dimension() {
              return real.dimension();
            }

            @Override
            public List<float[]> images(List<Image> images) {
              read.add(images.size());
              return real.images(images);
            }

            @Override
            public float[] text(String text) {
              return real.text(text);
            }
          };
      try (var index = ImageIndex.open(temp.resolve("index"), counting)) {
        index.update(r -> {}, photos);
        assertEquals(List.of(4), read);
        read.clear();
        assertEquals(4, index.update(r -> {}, photos).unchanged());
        Files.write(photos.resolve("broken.jpg"), new byte[] {1, 2, 3});
        Image.of(6000, 1, 3, Arena.ofAuto().allocate(18_000)).write(photos.resolve("line.png"));
        Files.copy(model.resolve("golden/4.png"), photos.resolve("photo4.png"));
        Files.delete(photo(0));
        var report = index.update(r -> {}, photos);
        assertEquals(1, report.added());
        assertEquals(3, report.unchanged());
        assertEquals(1, report.removed());
        assertEquals(2, report.failures().size(), report.failures().toString());
        assertTrue(report.failures().get(0).startsWith(photos + "/broken.jpg: "));
        assertTrue(report.failures().get(1).contains("line.png: the image is 6000 times as long"));
        assertEquals(4, index.size());
      }
      // It is there for the next process, and for no index of another kind.
      Path folder = temp.resolve("index");
      assertEquals("clip", ImageIndex.embedderOf(folder));
      try (var again = ImageIndex.open(folder, counting)) {
        assertEquals(4, again.search("sky", 10).size());
      }
      var e = assertThrows(SearchException.class, () -> Index.open(folder, null));
      assertTrue(e.getMessage().contains("gatun search-images"), e.getMessage());
      Path texts = temp.resolve("texts");
      Index.open(texts, null).close();
      assertThrows(SearchException.class, () -> ImageIndex.open(texts, counting));
    }
  }

  private static JsonNode json(int code, String... args) throws Exception {
    var result = InProcess.gatun(args);
    assertEquals(code, result.code(), result.err());
    return new ObjectMapper().readTree(result.out());
  }

  private static void refused(String why, String... args) {
    var result = InProcess.gatun(args);
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().contains(why), result.err());
    assertEquals("", result.out());
  }

  @Test
  void asACommand() throws Exception {
    String folder = photos.toString();
    refused("--model PATH is missing", "search-images", folder, "a cat");
    String none = temp.resolve("none").toString();
    refused("no such folder", "search-images", none, "-m", model.toString(), "a cat");
    assertTrue(Files.notExists(temp.resolve("none")));
    refused("no such folder", "search-images", photo(0).toString(), "-m", model.toString());
    refused("holds no index", "search-images", folder, "a cat", "--no-update");
    refused("by one of them", "search-images", folder, "a cat", "--like", folder);
    refused("neither a text", "search-images", folder, "--no-update");
    refused(folder, "search-images", folder, "-m", folder, "a cat");
    String gone = temp.resolve("gone.png").toString();
    refused("gone.png", "search-images", folder, "-m", model.toString(), "--like", gone);

    var made = json(0, "search-images", folder, "-m", model.toString(), "--json");
    assertEquals(4, made.path("added").asInt());
    assertEquals(photos.resolve(".gatun-images").toString(), made.path("index").asText());
    var found = json(0, "search-images", folder, "a cat", "--pictures", "2", "--json");
    assertEquals(4, found.path("unchanged").asInt());
    assertEquals(2, found.path("results").size());
    var like =
        InProcess.gatun("search-images", folder, "--no-update", "--like", photo(2).toString());
    assertEquals(0, like.code(), like.err());
    assertTrue(like.out().startsWith("1.0000  " + photo(2) + "\n"), like.out());

    Files.write(photos.resolve("broken.png"), new byte[] {1});
    var partly = json(2, "search-images", folder, "a cat", "--json");
    assertEquals(1, partly.path("failures").size());
    assertEquals(4, partly.path("results").size());
    refused("CLIP reads 75", "search-images", folder, "--no-update", "a cat ".repeat(60));
  }
}
