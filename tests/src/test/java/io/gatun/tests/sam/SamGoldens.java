package io.gatun.tests.sam;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Rle;
import io.gatun.models.sam.amg.MaskAnnotation;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// What the reference made (make_goldens.py beside the files) of which prompts, and comparing with
/// it.
public final class SamGoldens {
  private SamGoldens() {}

  /// A prompt, or null for none yet, and a point of which `label` says whether it is on the object.
  public static Prompt withPoint(Prompt prompt, float x, float y, int label) {
    if (label == Prompt.FOREGROUND) {
      return prompt == null ? Prompt.point(x, y) : prompt.withPoint(x, y);
    }
    return prompt == null ? Prompt.background(x, y) : prompt.withBackground(x, y);
  }

  /// A prompt, or null for none yet, and the box x0, y0, x1, y1.
  public static Prompt withBox(Prompt prompt, float... box) {
    return prompt == null
        ? Prompt.box(box[0], box[1], box[2], box[3])
        : prompt.withBox(box[0], box[1], box[2], box[3]);
  }

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
