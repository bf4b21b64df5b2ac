package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.StableDiffusion;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.ClipTokenizer;
import io.gatun.models.clip.TextualInversion;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Taught words in each form of file, against what transformers makes of prompts with them.
class TextualInversionTest {
  private static List<TextualInversion> words(Path dir) {
    return List.of(
        TextualInversion.read(dir.resolve("textual_inversion/learned_embeds.safetensors")),
        TextualInversion.read(dir.resolve("textual_inversion/learned_embeds.bin")),
        TextualInversion.read(dir.resolve("textual_inversion/gatun-style.pt")),
        TextualInversion.read(dir.resolve("textual_inversion/gatun-neg.safetensors")));
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.Plain.class,
      names = {"F32", "BF16"})
  void statesAreTheReferences(DType.Plain dtype) throws Exception {
    Path dir = TestData.shared("diffusion-random/sd15_controlnet");
    var words = words(dir);
    assertEquals(
        List.of("<gatun-cat>", "<gatun-dog>", "gatun-style", "gatun-neg"),
        words.stream().map(TextualInversion::token).toList());
    var config = CLIPTextConfig.of(JsonKeys.read(dir.resolve("text_encoder/config.json")));
    var tokenizer =
        ClipTokenizer.load(dir.resolve("tokenizer")).with(words, config.vocabSize(), false);
    JsonNode info =
        new ObjectMapper()
            .readTree(dir.resolve("golden/info.json").toFile())
            .path("textual_inversion");
    var ids = new ArrayList<int[]>();
    for (int i = 0; i < info.path("prompts").size(); i++) {
      int[] expected = new ObjectMapper().convertValue(info.path("ids").get(i), int[].class);
      int[] found = tokenizer.encode(info.path("prompts").get(i).asText()).ids()[0];
      assertArrayEquals(expected, found);
      ids.add(found);
    }
    var vectors = words.stream().flatMap(w -> w.vectors().stream()).toList();
    try (var goldens = new Goldens(dir.resolve("golden/text.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("text_encoder"));
        var ops = new Ops(Backend.NATIVE, 2)) {
      var f = new Functional(ops, dtype);
      var encoder = new CLIPTextModel(config, Weights.of(checkpoint), vectors);
      goldens.check(
          "textual_inversion.last_hidden_state", encoder.forward(f, ids.toArray(int[][]::new)));
    }
  }

  /// In a pipeline a word changes the image, and is none where it is a part of another.
  @Test
  void pipeline() {
    Path dir = TestData.shared("diffusion-random/sd15_lcm");
    Path word =
        TestData.shared("diffusion-random/sd15_controlnet/textual_inversion/gatun-neg.safetensors");
    try (var plain = StableDiffusion.load(dir);
        var taught = StableDiffusion.load(dir, o -> o.embedding(word))) {
      assertEquals(bytes(plain, "a gatun-negative"), bytes(taught, "a gatun-negative"));
      assertTrue(!bytes(plain, "a gatun-neg").equals(bytes(taught, "a gatun-neg")));
    }
    Path other = TestData.shared("sdxl-tiny-random");
    var e =
        assertThrows(
            CheckpointException.class,
            () -> StableDiffusion.load(other, o -> o.embedding(word)).close());
    assertTrue(e.getMessage().contains("another kind of model"), e.getMessage());
    e =
        assertThrows(
            CheckpointException.class,
            () -> TextualInversion.read(dir.resolve("unet/diffusion_pytorch_model.safetensors")));
    assertTrue(e.getMessage().contains("holds no taught word"), e.getMessage());
  }

  private static String bytes(StableDiffusion sd, String prompt) {
    var image = sd.imagine(prompt, o -> o.steps(1).seed(1).size(64, 64)).image();
    return HexFormat.of().formatHex(image.pixels().toArray(ValueLayout.JAVA_BYTE));
  }
}
