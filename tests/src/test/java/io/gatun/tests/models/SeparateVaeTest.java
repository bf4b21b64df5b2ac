package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.ImageSettings;
import io.gatun.models.Imagined;
import io.gatun.models.SourceFile;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.image.Image;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Pipelines with another autoencoder than their own.
class SeparateVaeTest {
  private static final Path TINY_SD = TestData.pretrained("tiny-sd");

  /// Random weights in F16 as diffusers 0.40 saves an AutoencoderTiny, and what that decodes the
  /// last of tiny-sd's recorded latents to.
  private static final Path TAESD =
      TestData.ROOT.resolve("tests/src/test/resources/diffusion/taesd-random");

  private static final Pattern LAYER = Pattern.compile("decoder\\.layers\\.(\\d+)(\\..*)");

  @TempDir private Path folder;

  private static Imagined imagine(StableDiffusion sd) {
    try (var golden = Checkpoint.open(TINY_SD.resolve("goldens.safetensors"))) {
      return sd.imagine(
          "a large blue square on a yellow background",
          o -> o.steps(20).guidance(5).noise(golden.tensor("pipeline.noise").toFloats()));
    }
  }

  private static StableDiffusion load(Path vae, DType.Plain dtype) {
    return StableDiffusion.load(TINY_SD, o -> o.vae(vae).dtype(dtype));
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.Plain.class,
      names = {"F32", "BF16"})
  void tinyAsInDiffusers(DType.Plain dtype) {
    Image expected = Image.read(TAESD.resolve("expected.png"));
    try (var sd = load(TAESD, dtype)) {
      var made = imagine(sd);
      double difference = StableDiffusionTest.difference(expected, made.image());
      assertTrue(difference < (dtype == DType.Plain.F32 ? 0.05 : 3), "differs by " + difference);
      ImageParameters parameters = made.parameters().getFirst();
      assertEquals(TAESD.getFileName().toString(), parameters.settings().get("VAE file"));
      var source = ImageSettings.files(ImageParameters.parse(parameters.format())).get(1);
      assertEquals(SourceFile.Kind.VAE, source.kind());
      assertTrue(source.is(TAESD));
    }
  }

  /// The decoder alone, as its author publishes it: layers counted from the limitation of latents.
  @Test
  void tinyAsItsAuthorPublishesIt() {
    Path file = folder.resolve("taesd_decoder.safetensors");
    try (var saved = Checkpoint.open(TAESD)) {
      var writer = new SafetensorsWriter();
      saved
          .tensors()
          .forEach(
              (name, tensor) -> {
                var layer = LAYER.matcher(name);
                if (layer.matches()) {
                  writer.add(1 + Integer.parseInt(layer.group(1)) + layer.group(2), tensor);
                }
              });
      writer.write(file);
    }
    Image expected = Image.read(TAESD.resolve("expected.png"));
    try (var sd = load(file, DType.Plain.F32)) {
      double difference = StableDiffusionTest.difference(expected, imagine(sd).image());
      assertTrue(difference < 0.05, "differs by " + difference);
      // In tiles, which here is one.
      var tiled = sd.imagine("a circle", o -> o.steps(2).seed(1).vaeTile(16)).image();
      var whole = sd.imagine("a circle", o -> o.steps(2).seed(1)).image();
      assertEquals(0, StableDiffusionTest.difference(whole, tiled));
      // An initial image is encoded by the pipeline's own.
      try (var own = StableDiffusion.load(TINY_SD, o -> o.dtype(DType.Plain.F32))) {
        Goldens.assertClose("latents", afterOneStep(own, expected), values(sd, expected), 1e-6f);
      }
    }
  }

  private static Tensor afterOneStep(StableDiffusion sd, Image from) {
    float[] values = values(sd, from);
    return Tensor.ofFloats(Arena.ofAuto(), values, values.length);
  }

  private static float[] values(StableDiffusion sd, Image from) {
    var latents = new float[1][];
    sd.imagine(
        "",
        o ->
            o.steps(20)
                .initImage(from)
                .strength(0.05)
                .seed(1)
                .onStep(step -> latents[0] = step.latents()));
    return latents[0];
  }

  /// A pipeline's own autoencoder, named by its directory, its file, or in a single file's names.
  @Test
  void fullAutoencoders() throws Exception {
    Image expected;
    try (var sd = StableDiffusion.load(TINY_SD, o -> o.dtype(DType.Plain.F32))) {
      expected = imagine(sd).image();
    }
    Path weights = TINY_SD.resolve("vae/diffusion_pytorch_model.safetensors");
    for (Path vae : new Path[] {TINY_SD.resolve("vae"), weights}) {
      try (var sd = load(vae, DType.Plain.F32)) {
        assertEquals(0, StableDiffusionTest.difference(expected, imagine(sd).image()));
      }
    }
    // In the names of single files, with the last convolution's weights zero: grey all over.
    for (String prefix : List.of("", "first_stage_model.")) {
      Path file = folder.resolve(prefix + "grey.safetensors");
      try (var saved = Checkpoint.open(weights)) {
        var writer = new SafetensorsWriter();
        saved
            .tensors()
            .forEach((name, tensor) -> writer.add(prefix + ldm(name), grey(name, tensor)));
        writer.write(file);
      }
      try (var sd = load(file, DType.Plain.F32)) {
        var image = imagine(sd).image();
        assertEquals(128, image.get(7, 50, 1));
        assertEquals(128, image.get(30, 30, 0));
      }
    }
  }

  private static Tensor grey(String name, Tensor tensor) {
    return name.startsWith("decoder.conv_out.")
        ? Tensor.allocate(Arena.ofAuto(), tensor.dtype(), tensor.shape().dims())
        : tensor;
  }

  /// CompVis's name for a tensor of an autoencoder of four levels.
  private static String ldm(String name) {
    String to = name;
    for (int level = 0; level < 4; level++) {
      to = to.replace("up_blocks." + level, "up." + (3 - level));
    }
    return to.replace("down_blocks.", "down.")
        .replace("mid_block.resnets.0.", "mid.block_1.")
        .replace("mid_block.resnets.1.", "mid.block_2.")
        .replace("mid_block.attentions.0.", "mid.attn_1.")
        .replace(".resnets.", ".block.")
        .replace("samplers.0.", "sample.")
        .replace("conv_norm_out.", "norm_out.")
        .replace("conv_shortcut.", "nin_shortcut.")
        .replace("group_norm.", "norm.")
        .replace("to_q.", "q.")
        .replace("to_k.", "k.")
        .replace("to_v.", "v.")
        .replace("to_out.0.", "proj_out.");
  }

  @Test
  void whatDoesNotFitIsRefused() {
    refused(TINY_SD.resolve("unet"), "holds no decoder of images");
    refused(folder.resolve("nonesuch"), "nonesuch");
    refused(TestData.shared("taesd/taef2_decoder.pth"), "latents of 32 channels");
    refused(TestData.shared("taesd/taef2_encoder.pth"), "holds no decoder of images");
  }

  private static void refused(Path vae, String message) {
    var e = assertThrows(CheckpointException.class, () -> load(vae, DType.Plain.F32));
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }
}
