package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.ImagineOptions;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Whole pipelines with random weights against diffusers' runs: latents after each step, and the
/// image; in BF16 the image.
class PipelineGoldenTest {
  /// Where folders that lack parts have them from.
  private static final Map<String, String> SIBLINGS =
      Map.of("sd3", "sd35", "flux_schnell", "flux_dev");

  private static final String WITHOUT_T5 = "without_t5";

  /// Runs of a pipeline whose model_index.json was changed.
  private static final Set<String> OTHER_INDEX = Set.of(WITHOUT_T5, "cfg_not_distilled");

  /// Models that see the given picture itself, not a ControlNet.
  private static final Set<String> SEE = Set.of("sd15_instruct_pix2pix", "flux2_klein");

  /// What schedulers add on the way, recorded beside a run.
  private static final String NOISE = "-noise";

  /// Of FLUX.2's latents, whose patches are what it steps.
  private static final long FLUX2_CHANNELS = 32;

  @TempDir private static Path temp;

  static Stream<Arguments> runs() throws IOException {
    var runs = new ArrayList<Arguments>();
    for (String name : TestData.names("diffusion-random")) {
      Path model = TestData.shared("diffusion-random/" + name);
      if (Files.exists(model.resolve("model_index.json"))) {
        addRuns(model, name, runs);
      }
    }
    return runs.stream();
  }

  private static void addRuns(Path model, String name, List<Arguments> to) throws IOException {
    try (var files = Files.newDirectoryStream(model.resolve("golden"), "run-*.safetensors")) {
      for (Path file : files) {
        String run = file.getFileName().toString().replaceAll("run-|\\.safetensors", "");
        if (!run.endsWith(NOISE)) {
          to.add(Arguments.of(name, run));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("runs")
  void f32(String model, String run) throws IOException {
    Path dir = TestData.shared("diffusion-random/" + model);
    JsonNode info = info(dir, run);
    try (var golden = Checkpoint.open(dir.resolve("golden/run-%s.safetensors".formatted(run)));
        var sd = StableDiffusion.load(folder(dir, run), o -> o.dtype(DType.Plain.F32))) {
      var latents = new ArrayList<float[]>();
      var made =
          sd.imagine(
              info.path("prompt").asText(),
              o -> {
                options(o, dir, run, info, golden);
                o.onStep(step -> latents.add(step.latents()));
              });
      assertEquals(golden.tensor("timesteps").dim(0), latents.size());
      for (int i = 0; i < latents.size(); i++) {
        Tensor expected = golden.tensor("step%d.latents".formatted(i));
        Goldens.assertClose("latents " + i, latents(expected, info), latents.get(i), 1e-4);
      }
      double difference = difference(golden.tensor("image_uint8_hwc"), made.image());
      assertTrue(difference <= 0.02, "mean absolute difference " + difference + " of 255");
    }
  }

  @ParameterizedTest
  @MethodSource("runs")
  void bf16(String model, String run) throws IOException {
    Path dir = TestData.shared("diffusion-random/" + model);
    JsonNode info = info(dir, run);
    try (var golden = Checkpoint.open(dir.resolve("golden/run-%s.safetensors".formatted(run)));
        var sd = StableDiffusion.load(folder(dir, run), o -> o.dtype(DType.Plain.BF16))) {
      var made = sd.imagine(info.path("prompt").asText(), o -> options(o, dir, run, info, golden));
      double difference = difference(golden.tensor("image_uint8_hwc"), made.image());
      assertTrue(
          difference <= 3 && difference > 0, "mean absolute difference " + difference + " of 255");
    }
  }

  private static JsonNode info(Path dir, String run) throws IOException {
    return new ObjectMapper()
        .readTree(dir.resolve("golden/info.json").toFile())
        .path("runs")
        .path(run);
  }

  private static void options(
      ImagineOptions o, Path dir, String run, JsonNode info, Checkpoint golden) {
    o.steps(info.path("num_inference_steps").asInt())
        .guidance(info.path("guidance_scale").asDouble())
        .negative(info.path("negative_prompt").textValue())
        .textTokens(info.path("max_sequence_length").asInt())
        .noise(noise(dir, run, golden));
    if (info.has("width")) {
      o.size(info.path("width").asInt(), info.path("height").asInt());
    }
    if (info.has("image_guidance_scale")) {
      o.imageGuidance(info.path("image_guidance_scale").asDouble());
    }
    if (!golden.tensors().containsKey("given_image_uint8_hwc")) {
      return;
    }
    Image given = image(golden.tensor("given_image_uint8_hwc"));
    if (golden.tensors().containsKey("given_mask_image_uint8_hwc")) {
      o.initImage(given)
          .mask(image(golden.tensor("given_mask_image_uint8_hwc")))
          .strength(info.path("strength").asDouble());
    } else if (SEE.contains(dir.getFileName().toString())) {
      o.reference(given);
    } else {
      double scale = info.path("controlnet_conditioning_scale").asDouble(1);
      o.control(given, scale, 0, info.path("control_guidance_end").asDouble(1));
    }
  }

  private static float[][] noise(Path dir, String run, Checkpoint golden) {
    var noise = new ArrayList<float[]>(List.of(golden.tensor("initial_noise").toFloats()));
    Path more = dir.resolve("golden/run-%s%s.safetensors".formatted(run, NOISE));
    if (Files.exists(more)) {
      try (var recorded = Checkpoint.open(more)) {
        for (int i = 0; i < recorded.tensors().size(); i++) {
          noise.add(recorded.tensor("noise" + i).toFloats());
        }
      }
    }
    return noise.toArray(float[][]::new);
  }

  /// Bytes (H, W) or (H, W, 3) as an image.
  private static Image image(Tensor bytes) {
    int channels = bytes.shape().rank() == 2 ? 1 : 3;
    return Image.of(
        (int) bytes.dim(1),
        (int) bytes.dim(0),
        channels,
        Arena.ofAuto().allocate(bytes.size()).copyFrom(bytes.segment()));
  }

  /// The model's folder, with the parts that another has.
  private static Path folder(Path dir, String run) throws IOException {
    String sibling = SIBLINGS.get(dir.getFileName().toString());
    if (sibling == null && !OTHER_INDEX.contains(run)) {
      return dir;
    }
    Path whole = Files.createTempDirectory(temp, run);
    if (OTHER_INDEX.contains(run)) {
      var index =
          (ObjectNode) new ObjectMapper().readTree(dir.resolve("model_index.json").toFile());
      if (run.equals(WITHOUT_T5)) {
        index.putArray("text_encoder_3").addNull().addNull();
        index.putArray("tokenizer_3").addNull().addNull();
      } else {
        index.put("is_distilled", false);
      }
      Files.writeString(whole.resolve("model_index.json"), index.toString());
    }
    for (Path from : List.of(dir, dir.resolveSibling(sibling == null ? "." : sibling))) {
      try (var files = Files.newDirectoryStream(from)) {
        for (Path file : files) {
          Path link = whole.resolve(file.getFileName());
          if (!Files.exists(link)) {
            Files.createSymbolicLink(link, file.toAbsolutePath());
          }
        }
      }
    }
    return whole;
  }

  /// Recorded latents (1, C, H, W) or, packed, (1, T, 4 C) as (H, W, C).
  private static Tensor latents(Tensor recorded, JsonNode info) {
    if (recorded.shape().rank() == 4) {
      return Goldens.nhwc(recorded);
    }
    int rows = info.path("height").asInt() / 16;
    int columns = info.path("width").asInt() / 16;
    if (recorded.dim(2) == FLUX2_CHANNELS) {
      return recorded.reshape(1, rows, columns, FLUX2_CHANNELS);
    }
    return Packed.latents(recorded.get(0), rows, columns);
  }

  /// The mean absolute difference of bytes (H, W, 3) and an image.
  private static double difference(Tensor expected, Image found) {
    assertEquals(expected.dim(0), found.height());
    assertEquals(expected.dim(1), found.width());
    var bytes = expected.segment();
    double sum = 0;
    long at = 0;
    for (int y = 0; y < found.height(); y++) {
      for (int x = 0; x < found.width(); x++) {
        for (int c = 0; c < 3; c++) {
          int value = Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, at++));
          sum += Math.abs(value - found.get(x, y, c));
        }
      }
    }
    return sum / at;
  }
}
