package io.gatun.tests.sam;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.image.Image;
import io.gatun.models.sam.amg.MaskAnnotation;
import io.gatun.models.sam.amg.SamAutomaticMaskGenerator;
import io.gatun.models.sam.config.MaskGeneratorOptions;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// The generator makes of a model of few lines what the reference makes of it.
class SamAutomaticMaskGeneratorTest {
  private final StubPredictor stub = new StubPredictor();
  private final Image image = Image.read(SamGoldens.path("amg.png"));

  @AfterEach
  void close() {
    assertEquals(0, stub.open(), "encoded images left open");
    stub.close();
  }

  private void assertAsReference(String name, Consumer<MaskGeneratorOptions> options)
      throws IOException {
    JsonNode expected = SamGoldens.json("amg.json").get(name);
    List<MaskAnnotation> actual = new SamAutomaticMaskGenerator(stub, options).generate(image);
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < actual.size(); i++) {
      JsonNode e = expected.get(i);
      MaskAnnotation a = actual.get(i);
      assertEquals(e.get("segmentation").get("counts").asText(), a.segmentation().compressed());
      assertEquals(e.get("area").asInt(), a.area());
      assertArrayEquals(SamGoldens.ints(e.get("bbox")), a.bbox());
      assertArrayEquals(SamGoldens.ints(e.get("crop_box")), a.cropBox());
      assertEquals(e.get("predicted_iou").asDouble(), a.predictedIou(), 1e-6);
      assertEquals(e.get("stability_score").asDouble(), a.stabilityScore(), 1e-6);
      for (int c = 0; c < 2; c++) {
        assertEquals(e.get("point_coords").get(0).get(c).asDouble(), a.pointCoords()[c], 1e-9);
      }
    }
  }

  @Test
  void findsTheReferencesMasks() throws IOException {
    assertAsReference("default", o -> o.pointsPerSide(8));
  }

  @Test
  void batchesChangeNothing() throws IOException {
    assertAsReference("batches", o -> o.pointsPerSide(8).pointsPerBatch(7));
  }

  @Test
  void filtersOnlyWhatItIsToldTo() throws IOException {
    assertAsReference(
        "loose",
        o -> o.pointsPerSide(6).predIouThresh(0).stabilityScoreThresh(0).boxNmsThresh(0.95f));
  }

  @Test
  void filtersByIouAndStability() throws IOException {
    assertAsReference(
        "strict",
        o ->
            o.pointsPerSide(10)
                .predIouThresh(0.95f)
                .stabilityScoreThresh(0.8f)
                .stabilityScoreOffset(0.5f));
  }

  @Test
  void looksAtParts() throws IOException {
    assertAsReference("crops", o -> o.pointsPerSide(8).cropNLayers(1).stabilityScoreThresh(0.7f));
  }

  @Test
  void looksAtPartsOfParts() throws IOException {
    assertAsReference(
        "deep",
        o ->
            o.pointsPerSide(8)
                .cropNLayers(2)
                .cropNPointsDownscaleFactor(2)
                .cropOverlapRatio(0.2)
                .cropNmsThresh(0.5f)
                .stabilityScoreThresh(0.7f));
  }

  @Test
  void removesSmallRegions() throws IOException {
    assertAsReference(
        "regions", o -> o.pointsPerSide(8).minMaskRegionArea(60).stabilityScoreThresh(0.6f));
  }

  @Test
  void asksForPointsOfOnesOwn() throws IOException {
    assertAsReference(
        "grids",
        o ->
            o.pointGrids(List.of(new double[] {0.26, 0.36, 0.7, 0.7, 0.8, 0.15}))
                .stabilityScoreThresh(0.6f));
  }

  @Test
  void tellsHowFarItIs() {
    var heard = new ArrayList<String>();
    new SamAutomaticMaskGenerator(stub, o -> o.pointsPerSide(4).pointsPerBatch(10).cropNLayers(1))
        .generate(image, (done, total) -> heard.add(done + "/" + total));
    assertEquals("10/80", heard.getFirst());
    assertEquals("16/80", heard.get(1));
    assertEquals("26/80", heard.get(2));
    assertEquals("80/80", heard.getLast());
    assertEquals(10, heard.size());
  }

  @Test
  void refusesParametersThatDoNotFit() {
    refuses(o -> o.pointsPerSide(0), "pointsPerSide is 0");
    refuses(o -> o.pointsPerBatch(0), "pointsPerBatch");
    refuses(o -> o.cropNLayers(-1), "cropNLayers");
    refuses(o -> o.cropOverlapRatio(1), "cropOverlapRatio");
    refuses(o -> o.predIouThresh(Float.NaN), "predIouThresh");
    refuses(o -> o.minMaskRegionArea(-1), "minMaskRegionArea");
    refuses(o -> o.pointGrids(List.of(new double[] {0.5, 1})), "coordinate 1.0");
    refuses(o -> o.pointGrids(List.of(new double[] {0.5, 0.5})).cropNLayers(1), "1 grids; need 2");
    refuses(o -> o.pointsPerSide(3).cropNLayers(1).cropNPointsDownscaleFactor(4), "has no points");
  }

  private void refuses(Consumer<MaskGeneratorOptions> options, String words) {
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> new SamAutomaticMaskGenerator(stub, options))
            .getMessage();
    assertTrue(message.contains(words), message);
  }

  @Test
  void refusesImagesTooSmallForTheirParts() {
    var generator = new SamAutomaticMaskGenerator(stub, o -> o.pointsPerSide(4).cropNLayers(3));
    Image small = image.crop(0, 0, 5, 5);
    assertThrows(IllegalArgumentException.class, () -> generator.generate(small));
  }
}
