package io.gatun.tests.sam;

import io.gatun.models.image.Image;
import io.gatun.models.sam.MaskGeneratorOptions;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.SamAutomaticMaskGenerator;
import io.gatun.tensor.DType;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

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
    var found = new SamAutomaticMaskGenerator(sam, options).generate(image);
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
}
