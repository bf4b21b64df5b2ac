package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.clipseg.CLIPSeg;
import io.gatun.models.clipseg.HeatMap;
import io.gatun.models.image.Image;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// CLIPSeg with random weights against transformers.
class CLIPSegGoldenTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  static Stream<Path> models() throws IOException {
    var models = new ArrayList<Path>();
    for (Path model : TestData.folders("seg-random")) {
      Path config = model.resolve("config.json");
      if (Files.exists(config)
          && JSON.readTree(config.toFile()).path("model_type").asText().equals("clipseg")) {
        models.add(model);
      }
    }
    assertTrue(!models.isEmpty(), "no models");
    return models.stream();
  }

  private static List<String> prompts(Path model) throws IOException {
    var prompts = new ArrayList<String>();
    JSON.readTree(model.resolve("golden/info.json").toFile())
        .get("prompts")
        .forEach(p -> prompts.add(p.asText()));
    return prompts;
  }

  @ParameterizedTest
  @MethodSource("models")
  void heatMaps(Path model) throws IOException {
    var prompts = prompts(model);
    for (var backend : Backend.values()) {
      try (var golden = Checkpoint.open(model.resolve("golden/clipseg.safetensors"));
          var clipSeg = CLIPSeg.load(model, backend, 2, DType.Plain.F32)) {
        var input = Goldens.nhwc(golden.tensor("pixel_values"));
        var pixels = golden.tensor("image_uint8_hwc");
        int side = (int) pixels.dim(0);
        var copy = Arena.ofAuto().allocate(pixels.byteSize());
        MemorySegment.copy(pixels.segment(), 0, copy, 0, pixels.byteSize());
        var image = Image.of(side, side, 3, copy);
        for (int i = 0; i < prompts.size(); i++) {
          var expected = golden.tensor("logits").get(i);
          Goldens.assertClose(
              prompts.get(i), expected, clipSeg.heat(input, prompts.get(i)).logits(), 1e-4);
          Goldens.assertClose(
              prompts.get(i), expected, clipSeg.heat(image, prompts.get(i)).logits(), 1e-4);
        }
      }
    }
  }

  /// On average a pixel's probability differs by less than a hundredth.
  @ParameterizedTest
  @MethodSource("models")
  void bf16(Path model) throws IOException {
    try (var golden = Checkpoint.open(model.resolve("golden/clipseg.safetensors"));
        var clipSeg = CLIPSeg.load(model, Backend.NATIVE, 2, DType.Plain.BF16)) {
      var input = Goldens.nhwc(golden.tensor("pixel_values"));
      var prompts = prompts(model);
      for (int i = 0; i < prompts.size(); i++) {
        float[] expected = golden.tensor("logits").get(i).toFloats();
        var found = clipSeg.heat(input, prompts.get(i));
        var exact = new HeatMap(found.side(), expected);
        double sum = 0;
        for (int p = 0; p < expected.length; p++) {
          int x = p % found.side();
          int y = p / found.side();
          sum += Math.abs(found.probability(x, y) - exact.probability(x, y));
        }
        assertTrue(sum / expected.length < 0.01, prompts.get(i) + ": " + sum / expected.length);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void textsThatAreTooLong(Path model) {
    try (var clipSeg = CLIPSeg.load(model, Backend.NATIVE, 1)) {
      var image = Image.of(8, 8, 3, Arena.ofAuto().allocate(192));
      assertThrows(IllegalArgumentException.class, () -> clipSeg.heat(image, "a dog ".repeat(100)));
    }
  }

  /// The likeliest point, and the box of what is half as likely around it, in pixels of the image.
  @Test
  void theLikeliestPlace() {
    int side = 10;
    var logits = new float[side * side];
    Arrays.fill(logits, -9);
    for (int y = 2; y < 5; y++) {
      for (int x = 3; x < 8; x++) {
        logits[y * side + x] = 1;
      }
    }
    logits[3 * side + 4] = 2;
    logits[9 * side + 9] = 1.5f; // as likely, but elsewhere
    var place = new HeatMap(side, logits).likeliest(200, 100);
    assertEquals(90, place.x(), 1e-4);
    assertEquals(35, place.y(), 1e-4);
    assertEquals("[60.0, 20.0, 160.0, 50.0]", Arrays.toString(place.box()));
    assertEquals(1 / (1 + Math.exp(-2)), place.probability(), 1e-6);
  }
}
