package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.clip.CLIPModel;
import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.Cosine;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// CLIP with random weights against transformers.
class CLIPModelGoldenTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static Path model() {
    return TestData.shared("clip-random/clip");
  }

  private static List<String> prompts() throws IOException {
    var prompts = new ArrayList<String>();
    JSON.readTree(model().resolve("golden/info.json").toFile())
        .get("prompts")
        .forEach(p -> prompts.add(p.asText()));
    return prompts;
  }

  private static List<Image> pictures(int count) {
    var all = new ArrayList<Image>();
    for (int i = 0; i < count; i++) {
      all.add(Image.read(model().resolve("golden/" + i + ".png")));
    }
    return all;
  }

  @ParameterizedTest
  @EnumSource
  void textsAndImages(Backend backend) throws IOException {
    var prompts = prompts();
    try (var golden = Checkpoint.open(model().resolve("golden/clip.safetensors"));
        var clip = CLIPModel.load(model(), backend, 2, DType.Plain.F32)) {
      var texts = golden.tensor("text_features");
      for (int i = 0; i < prompts.size(); i++) {
        Goldens.assertClose(prompts.get(i), texts.get(i), clip.text(prompts.get(i)), 1e-4);
      }
      var expected = golden.tensor("image_features");
      int count = (int) expected.dim(0);
      var given = clip.images(Goldens.nhwc(golden.tensor("pixel_values")));
      // Portrait, landscape, of the size that is read, smaller, and grey.
      var read = clip.images(pictures(count));
      var logits = golden.tensor("logits_per_image");
      for (int i = 0; i < count; i++) {
        Goldens.assertClose("image " + i, expected.get(i), given[i], 1e-4);
        Goldens.assertClose("picture " + i, expected.get(i), read[i], 1e-4);
        assertArrayEquals(read[i], clip.images(pictures(count).subList(i, i + 1))[0], 1e-5f);
        var found = new float[prompts.size()];
        for (int t = 0; t < found.length; t++) {
          found[t] = (float) (clip.logitScale() * Cosine.of(read[i], clip.text(prompts.get(t))));
        }
        Goldens.assertClose("logits " + i, logits.get(i), found, 1e-4);
      }
      assertEquals(24, clip.dimension());
      assertEquals(75, clip.maxTokens());
    }
  }

  @Test
  void bf16() throws IOException {
    try (var golden = Checkpoint.open(model().resolve("golden/clip.safetensors"));
        var clip = CLIPModel.load(model(), Backend.NATIVE, 2, DType.Plain.BF16)) {
      var expected = golden.tensor("image_features");
      var read = clip.images(pictures((int) expected.dim(0)));
      for (int i = 0; i < read.length; i++) {
        double cosine = Cosine.of(expected.get(i).toFloats(), read[i]);
        assertTrue(cosine > 0.999, i + ": " + cosine);
      }
    }
  }

  /// More than are computed together.
  @Test
  void manyImages() {
    try (var clip = CLIPModel.load(model(), Backend.NATIVE, 2, DType.Plain.F32)) {
      var five = pictures(5);
      var many = new ArrayList<Image>();
      for (int i = 0; i < 35; i++) {
        many.add(five.get(i % 5));
      }
      var all = clip.images(many);
      assertEquals(35, all.length);
      for (int i = 5; i < 35; i++) {
        assertArrayEquals(all[i % 5], all[i], 1e-5f);
      }
    }
  }

  @Test
  void whatCannotBeRead() {
    try (var clip = CLIPModel.load(model(), Backend.NATIVE, 1)) {
      var e = assertThrows(IllegalArgumentException.class, () -> clip.text("a dog ".repeat(100)));
      assertTrue(e.getMessage().contains("CLIP reads 75"), e.getMessage());
      var line = Image.of(6000, 1, 3, Arena.ofAuto().allocate(18_000));
      assertThrows(ImageException.class, () -> clip.images(List.of(line)));
    }
  }

  @Test
  void otherModelsAndSettingsAreRefused(@TempDir Path temp) throws IOException {
    try (var files = Files.list(model())) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, temp.resolve(file.getFileName().toString()));
      }
    }
    refused(
        temp, "preprocessor_config.json", "\"do_center_crop\": true", "\"do_center_crop\": false");
    refused(temp, "preprocessor_config.json", "\"resample\": 3", "\"resample\": 0");
    refused(temp, "config.json", "\"projection_dim\": 24", "\"projection_dim\": 23");
    refused(temp, "config.json", "\"model_type\": \"clip\"", "\"model_type\": \"siglip\"");
    refused(temp, "config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
  }

  private static void refused(Path folder, String name, String from, String to) throws IOException {
    Path file = folder.resolve(name);
    String text = Files.readString(file);
    assertTrue(text.contains(from), from);
    Files.writeString(file, text.replace(from, to));
    assertThrows(CheckpointException.class, () -> CLIPModel.load(folder, Backend.NATIVE, 1), to);
    Files.writeString(file, text);
  }
}
