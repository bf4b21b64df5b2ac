package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.SamPredictor;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.TestData;
import io.gatun.tests.sam.SamGoldens;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// tiny-sam against what segment_anything makes of it, stage by stage.
class SamGoldenTest {
  private static final Path DIR = TestData.pretrained("tiny-sam");

  @ParameterizedTest
  @CsvSource({
    "SCALAR, F32, 1e-4",
    "VECTOR, F32, 1e-4",
    "NATIVE, F32, 1e-4",
    "VECTOR, BF16, 2e-2",
    "NATIVE, BF16, 2e-2",
  })
  void tinySam(Backend backend, DType.Plain dtype, float tolerance) throws IOException {
    var json = new ObjectMapper().readTree(DIR.resolve("goldens.json").toFile());
    try (var golden = Checkpoint.open(DIR.resolve("goldens.safetensors"));
        var stages = Checkpoint.open(DIR.resolve("goldens_debug.safetensors"));
        var sam = Sam.load(DIR, o -> o.backend(backend).dtype(dtype).threads(2))) {
      encoderStages(sam, Goldens.nhwc(golden.tensor("scene0.image")), stages, tolerance);
      for (var scene : List.of("scene0", "scene1", "scene2")) {
        try (var image = sam.encode(Image.read(DIR.resolve(scene + ".png")))) {
          Goldens.assertClose(
              scene + " embedding",
              Goldens.nhwc(golden.tensor(scene + ".embedding")),
              image.embedding(),
              tolerance);
          for (JsonNode p : json.get("prompts")) {
            if (p.get("image").asText().equals(scene + ".png")) {
              masks(image, p, golden, tolerance);
            }
          }
        }
      }
    }
  }

  private static void encoderStages(Sam sam, Tensor input, Checkpoint stages, float tolerance) {
    var f = sam.functional();
    var stage = new AtomicInteger();
    try (var _ = f.scope()) {
      sam.imageEncoder()
          .encode(
              f,
              input,
              x -> {
                int block = stage.getAndIncrement() - 1;
                if (block < 0) {
                  // The recorded patches are without the positions.
                  var patches = stages.tensor("patch_embed.output");
                  var positions = sam.checkpoint().tensor("image_encoder.pos_embed");
                  Goldens.assertClose("patches", sum(patches, positions), x, tolerance);
                } else {
                  Goldens.assertClose(
                      "block " + block,
                      stages.tensor("block%d.output".formatted(block)),
                      x,
                      tolerance);
                }
              });
    }
    assertEquals(5, stage.get());
  }

  private static Tensor sum(Tensor a, Tensor b) {
    float[] x = a.toFloats();
    float[] y = b.toFloats();
    for (int i = 0; i < x.length; i++) {
      x[i] += y[i];
    }
    return Tensor.ofFloats(Arena.ofAuto(), x, a.shape().dims());
  }

  private static void masks(SamPredictor image, JsonNode p, Checkpoint golden, float tolerance) {
    String key = p.get("key").asText();
    var prompt = prompt(p, golden);
    boolean multimask = p.get("multimask_output").asBoolean();
    var found = image.decode(List.of(prompt), multimask);
    Goldens.assertClose(key + " masks", golden.tensor(key + ".low_res"), found.logits(), tolerance);
    Goldens.assertClose(
        key + " ious", golden.tensor(key + ".iou"), found.iouPredictions(), tolerance);
    var masks = image.predict(List.of(prompt), multimask).getFirst().masks();
    double iou = mask(golden.tensor(key + ".mask")).iou(masks.get(p.get("best").asInt()));
    assertTrue(iou >= 1 - tolerance, () -> key + " mask has an IoU of " + iou);
  }

  /// (H, W), 0 or 1.
  private static Mask mask(Tensor t) {
    var pixels = Arena.ofAuto().allocate(t.size());
    float[] values = t.toFloats();
    for (int i = 0; i < values.length; i++) {
      pixels.set(ValueLayout.JAVA_BYTE, i, (byte) (255 * values[i]));
    }
    return Mask.of(Image.of((int) t.dim(1), (int) t.dim(0), 1, pixels));
  }

  private static Prompt prompt(JsonNode json, Checkpoint golden) {
    Prompt prompt = null;
    for (int i = 0; i < json.get("points_xy").size(); i++) {
      float[] xy = floats(json.get("points_xy").get(i));
      prompt = SamGoldens.withPoint(prompt, xy[0], xy[1], json.get("labels").get(i).asInt());
    }
    if (!json.get("box_xyxy").isNull()) {
      prompt = SamGoldens.withBox(prompt, floats(json.get("box_xyxy")));
    }
    var mask = json.get("mask_input");
    return mask.isNull() ? prompt : prompt.withMask(golden.tensor(mask.asText()).toFloats());
  }

  private static float[] floats(JsonNode array) {
    var out = new float[array.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = array.get(i).floatValue();
    }
    return out;
  }
}
