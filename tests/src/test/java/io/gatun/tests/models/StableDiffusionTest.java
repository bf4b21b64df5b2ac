package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.Imagined;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Whole pipelines against diffusers' runs.
class StableDiffusionTest {
  private static final Path TINY = TestData.pretrained("tiny-sd");
  private static final String CAPTION = "a large blue square on a yellow background";

  /// tiny-sd's recorded run: latents after each step, and the image.
  @Test
  void tinyGoldens() {
    try (var golden = Checkpoint.open(TINY.resolve("goldens.safetensors"));
        var sd = load(TINY, DType.Plain.F32)) {
      var latents = new ArrayList<float[]>();
      var made =
          sd.imagine(
              CAPTION,
              o ->
                  o.steps(20)
                      .guidance(5)
                      .noise(golden.tensor("pipeline.noise").toFloats())
                      .onStep(step -> latents.add(step.latents())));
      assertEquals(20, latents.size());
      for (int i = 0; i < 20; i++) {
        Tensor expected = golden.tensor("pipeline.latents").slice(0, i, i + 1);
        Results.assertClose("latents " + i, nhwc(expected), latents.get(i), 1e-4f);
      }
      assertImage(golden.tensor("pipeline.image"), made.image(), 0.02);
    }
  }

  /// In BF16 the image is within 3/255 of F32's.
  @Test
  void tinyInBf16() {
    try (var golden = Checkpoint.open(TINY.resolve("goldens.safetensors"));
        var sd = load(TINY, DType.Plain.BF16)) {
      var made =
          sd.imagine(
              CAPTION,
              o ->
                  o.steps(20).guidance(5).noise(golden.tensor("pipeline.noise").toFloats()));
      assertImage(golden.tensor("pipeline.image"), made.image(), 3);
    }
  }

  /// diffusers' SDXL pipeline with random weights: the negative prompt left out, empty or given,
  /// sizes of their own, and no guidance.
  @ParameterizedTest
  @ValueSource(strings = {"zeros", "empty", "wide", "nocfg"})
  void sdxlGoldens(String name) throws Exception {
    JsonNode info =
        new ObjectMapper()
            .readTree(TestData.shared("sdxl-tiny-random/golden/info.json").toFile())
            .path("denoise")
            .path(name);
    Path file = TestData.shared("sdxl-tiny-random/golden/denoise-%s.safetensors".formatted(name));
    try (var golden = Checkpoint.open(file);
        var sd = load(TestData.shared("sdxl-tiny-random"), DType.Plain.F32)) {
      var latents = new ArrayList<float[]>();
      var made =
          sd.imagine(
              info.path("prompt").asText(),
              o ->
                  o.negative(info.path("negative_prompt").textValue())
                      .steps(4)
                      .guidance(info.path("guidance_scale").asDouble())
                      .size(info.path("width").asInt(), info.path("height").asInt())
                      .originalSize(at(info, "original_size", 1), at(info, "original_size", 0))
                      .cropTopLeft(
                          at(info, "crops_coords_top_left", 0),
                          at(info, "crops_coords_top_left", 1))
                      .targetSize(at(info, "target_size", 1), at(info, "target_size", 0))
                      .noise(golden.tensor("initial_noise").toFloats())
                      .onStep(step -> latents.add(step.latents())));
      for (int i = 0; i < 4; i++) {
        Tensor expected = nhwc(golden.tensor("step%d.latents".formatted(i)));
        Results.assertClose(name + " latents " + i, expected, latents.get(i), 1e-4f);
      }
      assertImage(golden.tensor("decoded"), made.image(), 0.02);
    }
  }

  private static int at(JsonNode info, String key, int i) {
    return info.path(key).get(i).asInt();
  }

  /// Mean absolute difference in steps of 1/255.
  private static void assertImage(Tensor expected, Image found, double tolerance) {
    double sum = 0;
    for (int y = 0; y < found.height(); y++) {
      for (int x = 0; x < found.width(); x++) {
        for (int c = 0; c < 3; c++) {
          double value = Math.clamp(expected.getFloat(0, c, y, x) / 2 + 0.5, 0, 1) * 255;
          sum += Math.abs(Math.rint(value) - found.get(x, y, c));
        }
      }
    }
    double mean = sum / (3.0 * found.width() * found.height());
    assertTrue(mean <= tolerance, "mean absolute difference " + mean + " of 255");
  }

  private static Tensor nhwc(Tensor nchw) {
    var t = nchw.transpose(1, 2).transpose(2, 3);
    return Tensor.ofFloats(Arena.ofAuto(), t.toFloats(), t.shape().dims());
  }

  private static StableDiffusion load(Path path, DType.Plain dtype) {
    return StableDiffusion.load(path, o -> o.dtype(dtype));
  }
}
