package io.gatun.tests.sam;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.image.Image;
import io.gatun.models.sam.MaskPredictor;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.amg.SamAutomaticMaskGenerator;
import io.gatun.models.sam.config.MaskGeneratorOptions;
import io.gatun.tensor.DType;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What the generator finds with tiny-sam is what the reference finds with it.
class EverythingTest {
  private static Sam sam;

  @BeforeAll
  static void load() {
    sam = Sam.load(TestData.pretrained("tiny-sam"), o -> o.dtype(DType.Plain.F32));
  }

  @AfterAll
  static void close() {
    sam.close();
  }

  private static void assertFound(String scene, Consumer<MaskGeneratorOptions> options)
      throws IOException {
    Image image = Image.read(TestData.pretrained("tiny-sam").resolve(scene + ".png"));
    Consumer<MaskGeneratorOptions> reference = o -> o.boxNmsThresh(0.7f).minMaskRegionArea(0);
    var found = new SamAutomaticMaskGenerator(sam, reference.andThen(options)).generate(image);
    SamGoldens.assertMatch(SamGoldens.json("everything.json").get(scene), found, 0.995, 1e-3);
  }

  @Test
  void inTheModelsOwnSize() throws IOException {
    assertFound("scene0", o -> o.pointsPerSide(16).predIouThresh(0.7f).stabilityScoreThresh(0.75f));
  }

  @Test
  void inAPaddedImageWithSmallRegionsRemoved() throws IOException {
    assertFound(
        "scene1",
        o ->
            o.pointsPerSide(12)
                .predIouThresh(0.6f)
                .stabilityScoreThresh(0.7f)
                .minMaskRegionArea(50));
  }

  @Test
  void inPartsOfAResizedImage() throws IOException {
    assertFound(
        "scene2",
        o -> o.pointsPerSide(8).predIouThresh(0.8f).stabilityScoreThresh(0.85f).cropNLayers(1));
  }

  /// With nothing asked for, in each scene that comes with the model: most of its shapes, none of
  /// them twice, and not the background.
  @ParameterizedTest
  @CsvSource({
    "scene0, 4, 60:60 165:150 205:235 105:190",
    "scene1, 3, 170:90 75:35 55:165",
    "scene2, 5, 60:160 290:115 145:180 165:20"
  })
  void theModelsOwnDefaults(String scene, int least, String shapes) {
    Image image = Image.read(TestData.pretrained("tiny-sam").resolve(scene + ".png"));
    var found = new SamAutomaticMaskGenerator(sam).generate(image);
    assertTrue(found.size() >= least && found.size() <= 2 * least, found.size() + " masks");
    for (String shape : shapes.split(" ", -1)) {
      String[] xy = shape.split(":", -1);
      int x = Integer.parseInt(xy[0]);
      int y = Integer.parseInt(xy[1]);
      assertTrue(
          found.stream().anyMatch(a -> a.mask().toImage().get(x, y, 0) > 0), "nothing at " + shape);
    }
    for (var mask : found) {
      assertTrue(mask.area() < image.width() * image.height() / 2, mask.area() + " pixels");
    }
  }

  /// A network that says nothing of it has the reference's.
  @Test
  void theReferencesDefaultsOtherwise() {
    MaskPredictor silent = image -> null;
    assertEquals(Map.of(), silent.maskGeneratorDefaults());
    assertEquals(0.7, sam.config().maskGenerator().get("pred_iou_thresh"));
  }
}
