package io.gatun.tests.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Images come out of files as Pillow reads them, or with a message that says why not.
class ImageReadingTest {
  @TempDir private static Path temp;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "rgb.png",
        "rgba.png",
        "grey.png",
        "grey-alpha.png",
        "one-bit.png",
        "palette.png",
        "profile.png",
        "grey16.png",
        "grey-alpha16.png",
        "rgb16.png",
        "rgba16.png",
        "rgb.bmp",
        "palette.bmp",
        "grey.bmp",
        "palette.gif",
        "lossless.webp",
        "alpha.webp",
        "lossy.webp",
        "lossy-fine.webp",
        "lossy-alpha.webp",
        "animation.webp",
        "palette-alpha.png",
        "transparent-colour.png",
        "transparent-grey.png",
        "rgb.jpg",
        "progressive.jpg",
        "grey.jpg",
        "profile.jpg",
        "cmyk.jpg",
        "orientation1.jpg",
        "orientation2.jpg",
        "orientation3.jpg",
        "orientation4.jpg",
        "orientation5.jpg",
        "orientation6.jpg",
        "orientation7.jpg",
        "orientation8.jpg"
      })
  void readsWhatPillowReads(String name) {
    Image expected = Pictures.golden("expected-" + name + ".png");
    Image actual = Pictures.golden(name);
    Pictures.assertSame(expected.channels() == 3 ? actual.rgb() : actual, expected, 0);
  }

  /// Its colour conversion is in floating point here and in fixed point there.
  @Test
  void readsInksStoredAsLuminance() {
    Pictures.assertSame(Pictures.golden("ycck.jpg"), Pictures.golden("expected-ycck.jpg.png"), 1);
  }

  @Test
  void greyStaysGreyAndBecomesRgbWhenAsked() {
    Image grey = Pictures.golden("grey.png");
    assertEquals(1, grey.channels());
    assertEquals(3, grey.rgb().channels());
  }

  @Test
  void alphaIsDroppedNotBlended() {
    Pictures.assertSame(Pictures.golden("rgba.png").rgb(), Pictures.golden("rgb.png"), 0);
  }

  /// A header that claims 50,000 x 50,000 pixels, and nothing behind it.
  @Test
  void refusesHugePicturesBeforeDecoding() throws IOException {
    byte[] png = Files.readAllBytes(Pictures.path("rgb.png"));
    ByteBuffer.wrap(png).putInt(16, 50_000).putInt(20, 50_000);
    Path bomb = Files.write(temp.resolve("bomb.png"), png);
    String message = assertThrows(ImageException.class, () -> Image.read(bomb)).getMessage();
    assertTrue(message.contains("bomb.png: is 50000 x 50000 pixels, 2,500,000,000"), message);
    assertTrue(message.contains("at most 100,000,000"), message);
  }

  @Test
  void theLimitCanBeMoved() {
    Path file = Pictures.path("rgb.png"); // 21 x 13
    assertEquals(21, Image.read(file, 273).width());
    assertThrows(ImageException.class, () -> Image.read(file, 272));
  }

  @Test
  void saysWhatIsNoImage() throws IOException {
    Path text = Files.writeString(temp.resolve("text.png"), "<html>not found");
    String message = assertThrows(ImageException.class, () -> Image.read(text)).getMessage();
    assertTrue(message.contains("text.png: is no image that Gatun reads"), message);
    assertTrue(message.contains("3c 68 74 6d 6c"), message);
    assertTrue(message.contains("PNG, JPEG, BMP, GIF or WebP"), message);
  }

  @Test
  void saysWhatIsMissingEmptyOrAFolder() throws IOException {
    refuses(temp.resolve("nowhere.png"), "there is no such file");
    refuses(Files.createFile(temp.resolve("empty.png")), "0 bytes");
    refuses(Files.createDirectory(temp.resolve("folder.png")), "is a directory");
  }

  private static void refuses(Path file, String words) {
    String message = assertThrows(ImageException.class, () -> Image.read(file)).getMessage();
    assertTrue(message.startsWith(file.toString()) && message.contains(words), message);
  }

  /// Cut anywhere: an exception of ours, and never a picture whose lower part is missing.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "rgb.png",
        "palette.png",
        "rgb.bmp",
        "palette.gif",
        "lossless.webp",
        "lossy-alpha.webp",
        "transparent-grey.png",
        "rgb.jpg",
        "cmyk.jpg",
        "grey.jpg",
        "progressive.jpg"
      })
  void refusesTruncatedFiles(String name) throws IOException {
    byte[] whole = Files.readAllBytes(Pictures.path(name));
    Image image = Pictures.golden(name);
    for (int length = 1; length < whole.length; length++) {
      Path cut = Files.write(temp.resolve("cut"), Arrays.copyOf(whole, length));
      try {
        // What is missing may be nothing but the mark of the end.
        Pictures.assertSame(Image.read(cut), image, 0);
      } catch (ImageException e) {
        assertTrue(e.getMessage().startsWith(cut.toString()), e.getMessage());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "rgb.png",
        "palette-alpha.png",
        "palette.gif",
        "lossless.webp",
        "lossy-alpha.webp",
        "animation.webp",
        "orientation6.jpg",
        "rgb.bmp"
      })
  void survivesFlippedBytes(String name) throws IOException {
    byte[] whole = Files.readAllBytes(Pictures.path(name));
    var random = new Random(name.hashCode());
    for (int i = 0; i < 300; i++) {
      byte[] damaged = whole.clone();
      for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
        damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      }
      Path file = Files.write(temp.resolve("flipped"), damaged);
      try {
        assertTrue(Image.read(file, 1 << 20).width() > 0);
      } catch (ImageException e) {
        assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
      }
    }
  }
}
