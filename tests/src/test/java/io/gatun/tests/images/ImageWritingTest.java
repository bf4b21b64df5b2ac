package io.gatun.tests.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Images survive being written, with their texts, and appear whole or not at all.
class ImageWritingTest {
  @TempDir private Path temp;

  private Path file;

  @BeforeEach
  void choose() {
    file = temp.resolve("written.png");
  }

  @ParameterizedTest
  @ValueSource(strings = {"rgb.png", "rgba.png", "grey.png"})
  void pngKeepsEveryPixel(String name) {
    Image image = Pictures.golden(name);
    image.write(file);
    Pictures.assertSame(Image.read(file), image, 0);
  }

  @Test
  void jpegKeepsTheLook() {
    Image image = Pictures.golden("resize.png").resize(776, 488); // smooth, for colours are halved
    Path jpeg = temp.resolve("written.JPG");
    image.write(jpeg);
    Image read = Image.read(jpeg);
    assertEquals(image.toString(), read.toString());
    long difference = 0;
    for (int y = 0; y < 488; y++) {
      for (int x = 0; x < 776; x++) {
        for (int c = 0; c < 3; c++) {
          difference += Math.abs(image.get(x, y, c) - read.get(x, y, c));
        }
      }
    }
    assertTrue(difference < 2 * 776 * 488 * 3, "off by " + difference);
  }

  @Test
  void textsComeBack() {
    var texts = new LinkedHashMap<String, String>();
    texts.put("parameters", "a cat\nSteps: 20, Sampler: Euler a, Seed: 1");
    texts.put("prompt", "ein süßes Kätzchen");
    texts.put("title", "猫の写真 🐈");
    Pictures.golden("rgb.png").write(file, texts);
    assertEquals(texts, Image.readText(file));
    Pictures.assertSame(Image.read(file), Pictures.golden("rgb.png"), 0);
  }

  @Test
  void aPngWithoutTextsHasNone() {
    assertEquals(Map.of(), Image.readText(Pictures.path("rgb.png")));
  }

  @Test
  void textsAreReadFromPngFilesOnly() {
    Path jpeg = Pictures.path("rgb.jpg");
    String message = assertThrows(ImageException.class, () -> Image.readText(jpeg)).getMessage();
    assertTrue(message.contains("rgb.jpg"), message);
  }

  @Test
  void refusesBadKeywords() {
    Image image = Pictures.golden("rgb.png");
    for (String keyword : new String[] {"", "猫", "k".repeat(80)}) {
      assertThrows(
          IllegalArgumentException.class, () -> image.write(file, Map.of(keyword, "text")));
    }
    assertFalse(Files.exists(file));
  }

  @Test
  void refusesWhatAFormatCannotDo() throws IOException {
    Path jpeg = temp.resolve("a.jpeg");
    refuses(() -> Pictures.golden("rgba.png").write(jpeg), "cannot be transparent");
    refuses(() -> Pictures.golden("rgb.png").write(jpeg, Map.of("a", "b")), "only PNG");
    refuses(() -> Pictures.golden("rgb.png").write(temp.resolve("a.tiff")), ".png, .jpg or .jpeg");
    refuses(() -> Pictures.golden("rgb.png").write(temp.resolve("no/a.png")), "cannot be written");
    try (var left = Files.list(temp)) {
      assertEquals(0, left.count());
    }
  }

  private static void refuses(Runnable write, String words) {
    String message = assertThrows(ImageException.class, write::run).getMessage();
    assertTrue(message.contains(words), message);
  }

  @Test
  void whereThereIsNoDisplayShowingWritesAFile() throws IOException {
    Image image = Pictures.golden("rgba.png");
    String said = image.show();
    assertTrue(said.startsWith("no display; Image(21 x 13 RGBA) is written to "), said);
    Path shown = Path.of(said.substring(said.lastIndexOf(' ') + 1));
    Pictures.assertSame(Image.read(shown), image, 0);
    Files.delete(shown);
  }

  @Test
  void cropsAndRefusesToCropOutside() {
    Image image = Pictures.golden("rgb.png");
    Image part = image.crop(4, 3, 11, 9);
    assertEquals("Image(7 x 6 RGB)", part.toString());
    assertEquals(250, part.get(0, 0, 0));
    assertEquals(image.get(10, 8, 2), part.get(6, 5, 2));
    assertThrows(IndexOutOfBoundsException.class, () -> image.crop(4, 3, 22, 9));
    assertThrows(IndexOutOfBoundsException.class, () -> image.crop(4, 3, 4, 9));
  }
}
