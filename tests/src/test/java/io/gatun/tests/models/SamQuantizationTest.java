package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.image.Image;
import io.gatun.models.nn.Quantization;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// How much of tiny-sam's masks is left when the image encoder has 8 bits.
class SamQuantizationTest {
  private static final Path DIR = TestData.pretrained("tiny-sam");
  private static final int POINTS_PER_SIDE = 8;

  @ParameterizedTest
  @CsvSource({
    "INT8_WEIGHTS, F32, NATIVE",
    "INT8_WEIGHTS, F32, VECTOR",
    "INT8_WEIGHTS, BF16, NATIVE",
    "INT8_DYNAMIC, F32, NATIVE",
    "INT8_DYNAMIC, F32, VECTOR",
    "INT8_DYNAMIC, BF16, NATIVE",
  })
  void masks(Quantization.Mode mode, DType.Plain dtype, Backend backend, TestReporter reporter) {
    var exact = masks(Quantization.Mode.NONE, DType.Plain.F32, Backend.NATIVE);
    var quantized = masks(mode, dtype, backend);
    double sum = 0;
    boolean changed = false;
    for (int i = 0; i < exact.size(); i++) {
      sum += exact.get(i).iou(quantized.get(i));
      changed |= exact.get(i).score() != quantized.get(i).score();
    }
    double mean = sum / exact.size();
    reporter.publishEntry("IoU of %s %s with F32".formatted(mode, dtype), "%.4f".formatted(mean));
    assertTrue(changed, "nothing was quantized");
    assertTrue(mean >= 0.98, "mean IoU " + mean);
  }

  /// The masks for points all over the three scenes, of one kind, so that no rounding decides which
  /// is the best.
  private static List<Mask> masks(Quantization.Mode mode, DType.Plain dtype, Backend backend) {
    var masks = new ArrayList<Mask>();
    try (var sam =
        Sam.load(DIR, o -> o.quantization(mode).dtype(dtype).backend(backend).threads(2))) {
      for (var scene : List.of("scene0.png", "scene1.png", "scene2.png")) {
        var picture = Image.read(DIR.resolve(scene));
        var points = new ArrayList<Prompt>();
        for (int i = 0; i < POINTS_PER_SIDE * POINTS_PER_SIDE; i++) {
          float x = (i % POINTS_PER_SIDE + 0.5f) / POINTS_PER_SIDE * picture.width();
          float y = (i / POINTS_PER_SIDE + 0.5f) / POINTS_PER_SIDE * picture.height();
          points.add(Prompt.point(x, y));
        }
        try (var image = sam.encode(picture)) {
          image.predict(points, false).forEach(p -> masks.add(p.best()));
        }
      }
    }
    return masks;
  }
}
