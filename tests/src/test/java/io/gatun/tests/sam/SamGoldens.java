package io.gatun.tests.sam;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.sam.MaskAnnotation;
import io.gatun.models.sam.Rle;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// What the reference made (make_goldens.py beside the files), and comparing with it.
final class SamGoldens {
  private SamGoldens() {}

  static Path path(String name) {
    return TestData.ROOT.resolve("tests/src/test/resources/sam").resolve(name);
  }

  static JsonNode json(String name) throws IOException {
    return new ObjectMapper().readTree(path(name).toFile());
  }

  static int[] ints(JsonNode node) {
    var values = new int[node.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = node.get(i).asInt();
    }
    return values;
  }

  static Rle rle(JsonNode segmentation) {
    int[] size = ints(segmentation.get("size"));
    return Rle.parse(segmentation.get("counts").asText(), size[1], size[0]);
  }

  /// Each expected mask is there once, about as large, as good and as stable, and nothing else is.
  ///
  /// @param minIou the least overlap of a mask with the expected one
  /// @param tolerance of predicted IoU and stability
  static void assertMatch(
      JsonNode expected, List<MaskAnnotation> actual, double minIou, double tolerance) {
    assertEquals(expected.size(), actual.size(), "masks");
    var left = new ArrayList<>(actual);
    for (JsonNode e : expected) {
      var mask = rle(e.get("segmentation")).toMask(0);
      var best = left.stream().max(Comparator.comparing(a -> a.mask().iou(mask))).orElseThrow();
      left.remove(best);
      double iou = best.mask().iou(mask);
      assertTrue(iou >= minIou, () -> best + " overlaps " + e + " by " + iou);
      assertEquals(e.get("predicted_iou").asDouble(), best.predictedIou(), tolerance);
      assertEquals(e.get("stability_score").asDouble(), best.stabilityScore(), tolerance);
    }
  }
}
