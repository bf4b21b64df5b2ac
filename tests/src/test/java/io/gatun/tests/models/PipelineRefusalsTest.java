package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.ImagineOptions;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What a text-to-image pipeline is asked for, and cannot do, is refused.
class PipelineRefusalsTest {
  @TempDir private Path dir;

  @Test
  void unknownPipelines() throws IOException {
    Path model = changed("pixart_alpha", "model_index.json", "_class_name", "KolorsPipeline");
    refused(model, "KolorsPipeline", "PixArtSigmaPipeline", "StableDiffusionXLPipeline");
  }

  /// Keys that change the mathematics, or are not known, are refused by name.
  @ParameterizedTest
  @CsvSource({
    "pixart_alpha, transformer/config.json, norm_type, layer_norm",
    "pixart_alpha, transformer/config.json, some_new_key, 7",
    "pixart_alpha, text_encoder/config.json, feed_forward_proj, relu",
    "sd35, transformer/config.json, qk_norm, layer_norm",
    "sd35, transformer/config.json, some_new_key, 7",
    "flux_dev, transformer/config.json, patch_size, 2",
    "flux_dev, scheduler/scheduler_config.json, stochastic_sampling, true",
    "flux_dev, scheduler/scheduler_config.json, some_new_key, 7",
  })
  void unknownKeys(String model, String file, String key, String value) throws IOException {
    refused(changed(model, file, key, value), key);
  }

  /// A scheduler of noise would make noise of a flow.
  @Test
  void schedulersOfOtherNetworks() throws IOException {
    String scheduler = "scheduler/scheduler_config.json";
    refused(
        changed("flux_dev", scheduler, "_class_name", "EulerDiscreteScheduler"),
        "EulerDiscreteScheduler",
        "predict noise");
    refusedOption("flux_dev", o -> o.scheduler("dpmpp_2m"), "dpmpp_2m", "euler");
  }

  @Test
  void options() {
    refusedOption("flux_dev", o -> o.negative("blue"), "negative prompt");
    refusedOption("flux_dev", o -> o.weighted(true), "--weighted");
    refusedOption("pixart_alpha", o -> o.clipSkip(1), "--clip-skip");
    refusedOption("sd35", o -> o.size(1024, 64), "positions for 32 rows");
    refusedOption("sd35", o -> o.size(72, 64), "multiples of 16");
  }

  /// A picture that a network needs, and one that it cannot use.
  @Test
  void pictures() {
    Image picture = Image.of(8, 8, 3, Arena.ofAuto().allocate(8 * 8 * 3));
    refusedPicture("sd15_inpaint", o -> o.initImage(picture), "--mask");
    refusedPicture("sd15_inpaint", o -> {}, "--init-image");
    refusedPicture("sd15_instruct_pix2pix", o -> {}, "--reference");
    refusedPicture("sd15_instruct_pix2pix", o -> o.initImage(picture), "--reference");
    refusedPicture("sd15_lcm", o -> o.reference(picture), "--init-image");
    refusedPicture("sd15_controlnet", o -> {}, "0 pictures for 1 ControlNets");
    refusedPicture("sd15_lcm", o -> o.control(picture), "1 pictures for 0 ControlNets");
    refusedPicture("sd15_lcm", o -> o.control(picture, 1, 0.5, 0.5), "start < end");
    refusedPicture("sd15_lcm", o -> o.mask(picture), "a mask needs an initial image");
  }

  /// Of another kind of UNet, and for no UNet at all.
  @Test
  void controlNets() {
    Path lcm = TestData.shared("diffusion-random/sd15_lcm");
    Path xl = TestData.shared("diffusion-random/sdxl_variants/controlnet_sdxl");
    Path flux = TestData.shared("diffusion-random/flux_dev");
    Image picture = Image.of(8, 8, 3, Arena.ofAuto().allocate(8 * 8 * 3));
    try (var sd = StableDiffusion.load(lcm, o -> o.controlNet(xl))) {
      var e =
          assertThrows(
              IllegalArgumentException.class,
              () -> sd.imagine("a cat", o -> o.steps(1).size(64, 64).control(picture)));
      assertContains(e, "made for latents of 4 channels", "with SDXL's sizes");
    }
    var e =
        assertThrows(
            CheckpointException.class,
            () -> StableDiffusion.load(flux, o -> o.controlNet(xl)).close());
    assertContains(e, "--controlnet");
    e =
        assertThrows(
            CheckpointException.class,
            () -> StableDiffusion.load(lcm, o -> o.controlNet(lcm)).close());
    assertContains(e, "is no ControlNet");
  }

  private static void refusedPicture(String model, Consumer<ImagineOptions> o, String... words) {
    try (var sd = StableDiffusion.load(TestData.shared("diffusion-random/" + model))) {
      Consumer<ImagineOptions> small = s -> s.steps(1).size(64, 64);
      var e =
          assertThrows(IllegalArgumentException.class, () -> sd.imagine("a cat", small.andThen(o)));
      assertContains(e, words);
    }
  }

  private static void refusedOption(String model, Consumer<ImagineOptions> o, String... words) {
    try (var sd = StableDiffusion.load(TestData.shared("diffusion-random/" + model))) {
      Consumer<ImagineOptions> small = s -> s.steps(1).size(64, 64).textTokens(8);
      var e =
          assertThrows(IllegalArgumentException.class, () -> sd.imagine("a cat", small.andThen(o)));
      assertContains(e, words);
    }
  }

  private static void refused(Path model, String... words) {
    var e =
        assertThrows(
            CheckpointException.class,
            () -> {
              try (var sd = StableDiffusion.load(model)) {
                sd.imagine("a cat", o -> o.steps(1).size(64, 64));
              }
            });
    assertContains(e, words);
  }

  private static void assertContains(Exception e, String... words) {
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), e.getMessage());
    }
  }

  /// A model with one key changed, whose other files are links.
  private Path changed(String model, String file, String key, String value) throws IOException {
    Path from = TestData.shared("diffusion-random/" + model);
    try (var all = Files.walk(from)) {
      for (Path path : all.filter(Files::isRegularFile).toList()) {
        Path to = dir.resolve(from.relativize(path));
        Files.createDirectories(to.getParent());
        if (!to.endsWith(file)) {
          Files.createSymbolicLink(to, path.toAbsolutePath());
        }
      }
    }
    var mapper = new ObjectMapper();
    var json = (ObjectNode) mapper.readTree(from.resolve(file).toFile());
    json.set(key, mapper.readTree(value.matches("true|\\d+") ? value : '"' + value + '"'));
    Files.writeString(dir.resolve(file), json.toString());
    return dir;
  }
}
