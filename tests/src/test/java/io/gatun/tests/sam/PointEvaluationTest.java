package io.gatun.tests.sam;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.image.Image;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.LowResMasks;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prediction;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Resize;
import io.gatun.models.sam.Rle;
import io.gatun.models.sam.coco.CocoAnnotation;
import io.gatun.models.sam.coco.CocoFile;
import io.gatun.models.sam.coco.CocoImage;
import io.gatun.models.sam.coco.PointEvaluation;
import io.gatun.models.sam.coco.PointEvaluation.Answer;
import io.gatun.models.sam.coco.PromptPoint;
import io.gatun.models.sam.coco.PromptPoint.Rule;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The experiment of Segment Anything Fast against what its own code computed.
class PointEvaluationTest {
  private static final String DATA = "mini-coco/";

  private static JsonNode golden() throws IOException {
    return new ObjectMapper().readTree(TestData.shared(DATA + "golden/evaluation.json").toFile());
  }

  @Test
  void everyAnnotationHasTheReferencesPoint() throws IOException {
    JsonNode points = golden().get("points");
    int far = 0;
    int n = 0;
    for (var entry :
        CocoFile.read(TestData.shared(DATA + "annotations.json")).byImage().entrySet()) {
      for (CocoAnnotation annotation : entry.getValue()) {
        Mask mask = annotation.mask(entry.getKey());
        JsonNode expected = points.get(Long.toString(annotation.id()));
        assertEquals(expected.get("area").asInt(), mask.area(), annotation::toString);
        var point = PromptPoint.of(mask);
        assertEquals(expected.get("point_xy").get(0).asInt(), point.x(), annotation::toString);
        assertEquals(expected.get("point_xy").get(1).asInt(), point.y(), annotation::toString);
        boolean centre = expected.get("rule").asText().equals("centre of mass");
        assertEquals(centre, point.rule() == Rule.CENTRE_OF_MASS, annotation::toString);
        far += centre ? 0 : 1;
        n++;
      }
    }
    assertEquals(points.size(), n);
    assertTrue(far > 0);
  }

  /// Masks that are given in place of a model's.
  private record Given(Image image, List<List<Mask>> masks, Workers workers)
      implements EncodedImage {
    @Override
    public int width() {
      return image.width();
    }

    @Override
    public int height() {
      return image.height();
    }

    @Override
    public Resize resize() {
      return Resize.longestSide(1024);
    }

    @Override
    public int maskSize() {
      return 256;
    }

    @Override
    public float maskThreshold() {
      return 0;
    }

    @Override
    public LowResMasks decode(List<Prompt> prompts, boolean multimaskOutput) {
      throw new UnsupportedOperationException();
    }

    @Override
    public List<Prediction> predict(List<Prompt> prompts, boolean multimaskOutput) {
      var part = masks.subList(0, prompts.size());
      var predictions = part.stream().map(m -> new Prediction(m, new float[3][])).toList();
      part.clear();
      return predictions;
    }

    @Override
    public void close() {
      // has nothing
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"exact_first", "shift", "mixed"})
  void theProtocolGivesTheReferencesFigures(String set) throws IOException {
    JsonNode expected = golden().get("predictions").get(set);
    var byId =
        expected
            .get("annotations")
            .valueStream()
            .collect(Collectors.toMap(a -> a.get("id").asLong(), a -> a));
    var coco = CocoFile.read(TestData.shared(DATA + "annotations.json"));
    try (var workers = new Workers(1)) {
      var answers = new ArrayList<Answer>();
      double sum = 0;
      for (var entry : coco.byImage().entrySet()) {
        CocoImage described = entry.getKey();
        Image image = Image.read(TestData.shared(DATA + "images").resolve(described.fileName()));
        var masks = new ArrayList<List<Mask>>();
        for (CocoAnnotation a : entry.getValue()) {
          masks.add(masks(expected, byId.get(a.id()), a, described));
        }
        var given = new Given(image, masks, workers);
        var evaluation = new PointEvaluation(_ -> given, null, 4);
        evaluation.add(image, described, entry.getValue());
        answers.addAll(evaluation.answers());
        sum += evaluation.meanIou() * evaluation.answers().size();
      }
      for (Answer a : answers) {
        JsonNode one = byId.get(a.annotation().id());
        assertEquals(one.get("chosen").asInt(), a.chosen(), a::toString);
        assertEquals(one.get("iou").asDouble(), a.iou(), a::toString);
      }
      assertEquals(expected.get("annotations").size(), answers.size());
      assertEquals(expected.get("mIoU").asDouble(), sum / answers.size(), 1e-14);
      var byCategory =
          answers.stream()
              .collect(
                  Collectors.groupingBy(
                      a -> coco.category(a.annotation()),
                      Collectors.summarizingDouble(Answer::iou)));
      for (Map.Entry<String, JsonNode> category : expected.get("per_category").properties()) {
        var found = byCategory.get(category.getKey());
        assertEquals(category.getValue().get("count").asLong(), found.getCount());
        assertEquals(category.getValue().get("mean").asDouble(), found.getAverage(), 1e-14);
      }
    }
  }

  /// The masks of the set; where it has none the first is the annotation itself.
  private static List<Mask> masks(
      JsonNode set, JsonNode scored, CocoAnnotation annotation, CocoImage image) {
    var masks = new ArrayList<Mask>();
    for (int i = 0; i < 3; i++) {
      float score = (float) scored.get("scores").get(i).asDouble();
      if (set.has("masks_rle")) {
        String rle = set.get("masks_rle").get(Long.toString(annotation.id())).get(i).asText();
        masks.add(Rle.parse(rle, image.width(), image.height()).toMask(score));
      } else {
        masks.add(annotation.mask(image).rle().toMask(score));
      }
    }
    return masks;
  }

  @TempDir private Path temp;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{\"images\":[{\"id\":1}]}",
        "{\"images\":[]}",
        "{\"annotations\":[{\"id\":1,\"image_id\":2,\"category_id\":3,\"segmentation\":[[1,2,3,4,5,6]]}]}",
        "{\"annotations\":[{\"id\":1,\"image_id\":2,\"category_id\":3,\"segmentation\":[[1,\"a\"]]}]}",
        "{\"annotations\":[{\"id\":1,\"image_id\":2,\"category_id\":3,\"segmentation\":"
            + "{\"size\":[2,2],\"counts\":[1,9]}}]}",
        "{\"annotations\":[{\"id\":1,\"image_id\":2,\"category_id\":3,\"segmentation\":"
            + "{\"size\":[2,2],\"counts\":\"~~\"}}]}",
      })
  void whatAreNoAnnotationsIsRefusedByName(String text) throws IOException {
    Path file = Files.writeString(temp.resolve("annotations.json"), text);
    var refusal = assertThrows(IllegalArgumentException.class, () -> CocoFile.read(file));
    assertTrue(refusal.getMessage().contains(file.toString()), refusal.getMessage());
  }

  @Test
  void polygonsThatAreNoneAreRefused() {
    for (double[] polygon :
        List.of(new double[] {1, 2, 3, 4}, new double[7], new double[] {0, 0, 1, 1, 1e9, 0})) {
      assertThrows(IllegalArgumentException.class, () -> Mask.ofPolygons(8, 8, List.of(polygon)));
    }
    assertThrows(IllegalArgumentException.class, () -> Mask.ofPolygons(8, 8, List.of()));
  }

  @Test
  void aRectangleFillsItsPixels() {
    Mask mask = Mask.ofPolygons(10, 8, List.of(new double[] {2, 1, 7, 1, 7, 5, 2, 5}));
    assertEquals(20, mask.area());
    assertTrue(mask.get(2, 1) && mask.get(6, 4) && !mask.get(7, 4) && !mask.get(6, 5));
  }
}
