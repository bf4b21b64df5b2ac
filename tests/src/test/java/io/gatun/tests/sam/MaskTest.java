package io.gatun.tests.sam;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Overlay;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Rle;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Masks: run lengths as pycocotools writes them, boxes, pictures.
class MaskTest {
  /// COCO's own example strings would do as well; these come from pycocotools for random masks of
  /// awkward sizes.
  @Test
  void runLengthsAreCocos() throws IOException {
    for (JsonNode e : SamGoldens.json("masks.json")) {
      int[] counts = SamGoldens.ints(e.get("counts"));
      var rle = new Rle(e.get("width").asInt(), e.get("height").asInt(), counts);
      assertEquals(e.get("compressed").asText(), rle.compressed());
      assertEquals(rle, Rle.parse(rle.compressed(), rle.width(), rle.height()));
      Mask mask = rle.toMask(0.5f);
      assertEquals(rle, mask.rle());
      assertEquals(rle.area(), mask.area());
      assertEquals(mask, mask.rle().toMask(0.5f));
    }
  }

  /// Pixel by pixel, from the definition: columns from the left, each from the top.
  @Test
  void runLengthsGoDownTheColumns() {
    Mask mask = new Rle(3, 4, new int[] {1, 2, 4, 3, 2}).toMask(0);
    var expected = new boolean[] {false, true, true, false, false, false, false, true, true, true};
    for (int i = 0; i < 12; i++) {
      assertEquals(i < 10 && expected[i], mask.get(i / 4, i % 4), "pixel " + i);
    }
    assertEquals("Mask(3 x 4, 5 pixels, score 0.00)", mask.toString());
    assertArrayEquals(new int[] {0, 0, 2, 3}, mask.box());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1", "P", "p", "~", "12", "oooooooooo0"})
  void refusesRunLengthsOfAnotherMask(String compressed) {
    assertThrows(IllegalArgumentException.class, () -> Rle.parse(compressed, 5, 5));
  }

  @Test
  void boxesEncloseAllPixels() throws IOException {
    for (JsonNode e : SamGoldens.json("masks.json")) {
      int width = e.get("width").asInt();
      int height = e.get("height").asInt();
      Mask mask = new Rle(width, height, SamGoldens.ints(e.get("counts"))).toMask(0);
      int[] box = {width, height, -1, -1};
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          if (mask.get(x, y)) {
            box[0] = Math.min(box[0], x);
            box[1] = Math.min(box[1], y);
            box[2] = Math.max(box[2], x);
            box[3] = Math.max(box[3], y);
          }
        }
      }
      assertArrayEquals(box[2] < 0 ? new int[4] : box, mask.box());
    }
  }

  @Test
  void smallRegionsAreTheReferences() throws IOException {
    int changed = 0;
    for (JsonNode e : SamGoldens.json("masks.json")) {
      int width = e.get("width").asInt();
      int height = e.get("height").asInt();
      Mask mask = new Rle(width, height, SamGoldens.ints(e.get("counts"))).toMask(0);
      for (int minArea : new int[] {3, 30, 2000}) {
        for (String kind : new String[] {"holes", "islands"}) {
          JsonNode expected = e.get("mended").get(kind + "-" + minArea);
          Mask mended =
              kind.equals("holes") ? mask.withoutHoles(minArea) : mask.withoutIslands(minArea);
          if (expected.isNull()) {
            assertSame(mask, mended, "nothing was to be mended");
          } else {
            assertNotSame(mask, mended);
            assertEquals(expected.asText(), mended.rle().compressed());
            changed++;
          }
        }
      }
    }
    assertTrue(changed > 50, changed + " masks to mend");
  }

  @Test
  void uncropsToAnyPlace() throws IOException {
    for (JsonNode e : SamGoldens.json("masks.json")) {
      int width = e.get("width").asInt();
      int height = e.get("height").asInt();
      Mask mask = new Rle(width, height, SamGoldens.ints(e.get("counts"))).toMask(0);
      for (int x0 : new int[] {0, 1, 63, 64, 100}) {
        Mask whole = mask.uncrop(x0, 7, width + x0 + 3, height + 9);
        assertEquals(mask.area(), whole.area());
        for (int x = 0; x < width; x++) {
          assertEquals(mask.get(x, height - 1), whole.get(x + x0, height + 6));
        }
      }
    }
    Mask mask = new Rle(2, 2, new int[] {4}).toMask(0);
    assertThrows(IllegalArgumentException.class, () -> mask.uncrop(1, 0, 2, 2));
  }

  @Test
  void becomesAPictureAndBack() {
    Mask mask = new Rle(3, 4, new int[] {1, 2, 4, 3, 2}).toMask(Float.NaN);
    Image picture = mask.toImage();
    assertEquals("Image(3 x 4 grey)", picture.toString());
    assertEquals(255, picture.get(0, 1, 0));
    assertEquals(0, picture.get(0, 0, 0));
    assertEquals(mask, Mask.of(picture));
  }

  @Test
  void cutsOut() {
    Image image = Image.read(SamGoldens.path("amg.png"));
    Mask mask = new Rle(150, 110, new int[] {0, 110, 149 * 110}).toMask(0);
    Image cut = mask.cutout(image);
    assertEquals(255, cut.get(0, 50, 3));
    assertEquals(image.get(0, 50, 0), cut.get(0, 50, 1));
    assertEquals(0, cut.get(1, 50, 3));
    assertEquals(0, cut.get(1, 50, 0));
    Image other = image.crop(0, 0, 20, 20);
    assertThrows(IllegalArgumentException.class, () -> mask.cutout(other));
    assertThrows(IllegalArgumentException.class, () -> mask.overlay(other));
  }

  @Test
  void overlaysColourMaskAndMarks() {
    Image image = Image.read(SamGoldens.path("amg.png")).rgb();
    Mask mask = new Rle(150, 110, new int[] {0, 110 * 60, 90 * 110}).toMask(0);
    var prompt = Prompt.point(80, 40).withBackground(100, 40).withBox(70, 20, 120, 90);
    Image drawn = new Overlay(image).add(mask).add(prompt).toImage();
    assertTrue(isColoured(drawn, 30, 80));
    assertFalse(isColoured(drawn, 140, 100));
    assertTrue(drawn.get(80, 40, 1) > drawn.get(80, 40, 0), "the point on the object is green");
    assertTrue(drawn.get(100, 40, 0) > drawn.get(100, 40, 1), "the point beside it is red");
    assertTrue(drawn.get(70, 55, 1) > drawn.get(70, 55, 0), "the box is green");
    assertEquals(image.get(95, 55, 0), drawn.get(95, 55, 0), "inside the box nothing is drawn");
  }

  private static boolean isColoured(Image image, int x, int y) {
    return image.get(x, y, 0) != image.get(x, y, 1) || image.get(x, y, 1) != image.get(x, y, 2);
  }

  @Test
  void overlapsAreMeasured() {
    Mask left = new Rle(4, 2, new int[] {0, 4, 4}).toMask(0);
    Mask middle = new Rle(4, 2, new int[] {2, 4, 2}).toMask(0);
    assertEquals(2 / 6.0, left.iou(middle), 1e-12);
    Mask empty = new Rle(4, 2, new int[] {8}).toMask(0);
    assertEquals(0, empty.iou(empty));
  }

  @Test
  void promptsSayWhereTheyReachOutside() {
    refuses(() -> Prompt.point(640, 10).checkInside(640, 480), "point 640,10 is outside");
    refuses(() -> Prompt.point(-1, 10).checkInside(640, 480), "640 x 480");
    refuses(() -> Prompt.background(1, Float.NaN).checkInside(640, 480), "1,NaN");
    refuses(() -> Prompt.box(0, 0, 641, 480).checkInside(640, 480), "box 0,0,641,480 reaches");
    refuses(() -> Prompt.box(10, 0, 5, 4), "ends before it begins");
    Prompt.point(639.5f, 0).withBox(0, 0, 640, 480).checkInside(640, 480);
  }

  private static void refuses(Runnable action, String words) {
    String message = assertThrows(IllegalArgumentException.class, action::run).getMessage();
    assertTrue(message.contains(words), message);
  }
}
