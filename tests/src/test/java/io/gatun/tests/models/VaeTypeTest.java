package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Autoencoders compute in the pipeline's type: what BF16 changes in an image, in steps of 1/255.
class VaeTypeTest {
  private static final float F16_MAX = 65504;

  /// How two images differ: on the whole, and where they do so most.
  private record Difference(double mean, int most) {
    static Difference of(Image a, Image b) {
      long sum = 0;
      int most = 0;
      for (int y = 0; y < a.height(); y++) {
        for (int x = 0; x < a.width(); x++) {
          for (int c = 0; c < 3; c++) {
            int difference = Math.abs(a.get(x, y, c) - b.get(x, y, c));
            sum += difference;
            most = Math.max(most, difference);
          }
        }
      }
      return new Difference(sum / (3.0 * a.width() * a.height()), most);
    }

    void within(double mean, int most) {
      assertTrue(mean() > 0, "BF16 computes in F32");
      assertTrue(mean() <= mean && most() <= most, this + " of 255");
    }
  }

  /// Images decoded from recorded latents, and pictures encoded and decoded: with tiny-sd, which is
  /// trained, BF16 changes no value by more than 8; with random weights the mean is within 3.
  @ParameterizedTest
  @CsvSource({
    "tiny-sd, 0.3, 8",
    "sdxl-tiny-random, 3, 20",
    "diffusion-random/sd15_controlnet, 3, 20",
    "diffusion-random/pixart_alpha, 3, 20",
    "diffusion-random/sd35, 3, 20",
    "diffusion-random/flux_dev, 3, 20",
    "diffusion-random/flux2_klein, 3, 20"
  })
  void imagesInBf16(String model, double mean, int most) {
    boolean tiny = model.equals("tiny-sd");
    Path dir = tiny ? TestData.pretrained(model) : TestData.shared(model);
    Path recorded = dir.resolve(tiny ? "goldens.safetensors" : "golden/vae.safetensors");
    try (var goldens = new Goldens(recorded, DType.Plain.F32);
        var checkpoint = Checkpoint.open(dir.resolve("vae"));
        var ops = new Ops(Backend.NATIVE, 2)) {
      var vae = vae(dir, checkpoint);
      var f32 = new Functional(ops, DType.Plain.F32);
      var bf16 = new Functional(ops, DType.Plain.BF16);
      var z =
          tiny
              ? scaled(goldens.image("vae.decode.latent"), 1 / vae.config().scalingFactor())
              : goldens.image("decode.z");
      Difference.of(image(vae.decode(f32, z)), image(vae.decode(bf16, z))).within(mean, most);

      var picture = goldens.image(tiny ? "vae.encode.image" : "encode.image");
      var expected = vae.decode(f32, vae.encode(f32, picture).mean());
      var found = vae.decode(bf16, vae.encode(bf16, picture).mean());
      Difference.of(image(expected), image(found)).within(mean, most);
    }
  }

  /// force_upcast, which these configurations have, is for F16 alone.
  @ParameterizedTest
  @ValueSource(strings = {"tiny-sd", "sdxl-tiny-random"})
  void pipelinesDecodeInTheirType(String model) {
    boolean tiny = model.equals("tiny-sd");
    Path dir = tiny ? TestData.pretrained(model) : TestData.shared(model);
    assertTrue(JsonKeys.read(dir.resolve("vae/config.json")).flag("force_upcast", false));
    var latents = new ArrayList<float[]>();
    try (var sd = StableDiffusion.load(dir, o -> o.dtype(DType.Plain.BF16));
        var checkpoint = Checkpoint.open(dir.resolve("vae"));
        var ops = new Ops(Backend.NATIVE, 2)) {
      var made =
          sd.imagine(
              "a cyan star",
              o -> o.steps(20).guidance(5).seed(1).onStep(step -> latents.add(step.latents())));
      var vae = vae(dir, checkpoint);
      int rows = made.image().height() / vae.latentFactor();
      int columns = made.image().width() / vae.latentFactor();
      var f32 = new Functional(ops, DType.Plain.F32);
      var bf16 = new Functional(ops, DType.Plain.BF16);
      float[] last = latents.getLast();
      Image same = image(vae.decode(bf16, last, rows, columns, 0));
      assertEquals(new Difference(0, 0), Difference.of(same, made.image()));
      Image exact = image(vae.decode(f32, last, rows, columns, 0));
      Difference.of(exact, made.image()).within(tiny ? 0.3 : 3, tiny ? 8 : 20);
    }
  }

  /// From an initial image, which is encoded first.
  @Test
  void imageToImage() {
    Path dir = TestData.pretrained("tiny-sd");
    Image first;
    try (var goldens = new Goldens(dir.resolve("goldens.safetensors"), DType.Plain.F32)) {
      first = image(goldens.image("vae.encode.image"));
    }
    var made = new ArrayList<Image>();
    for (var dtype : new DType.Plain[] {DType.Plain.F32, DType.Plain.BF16}) {
      try (var sd = StableDiffusion.load(dir, o -> o.dtype(dtype))) {
        made.add(
            sd.imagine(
                    "a red circle on a blue background",
                    o -> o.steps(20).guidance(5).seed(4).initImage(first).strength(0.5))
                .image());
      }
    }
    double mean = Difference.of(made.getFirst(), made.getLast()).mean();
    assertTrue(mean > 0 && mean <= 3, "mean absolute difference " + mean + " of 255");
  }

  /// Activations as those of SDXL's first autoencoder, for which force_upcast was made.
  @Test
  void largerThanF16(@TempDir Path folder) {
    Path dir = TestData.pretrained("tiny-sd");
    try (var saved = Checkpoint.open(dir.resolve("vae"))) {
      var writer = new SafetensorsWriter();
      saved
          .tensors()
          .forEach(
              (name, t) ->
                  writer.add(name, name.equals("decoder.conv_in.weight") ? scaled(t, 1e6f) : t));
      writer.write(folder.resolve("large.safetensors"));
    }
    try (var goldens = new Goldens(dir.resolve("goldens.safetensors"), DType.Plain.F32);
        var checkpoint = Checkpoint.open(folder.resolve("large.safetensors"));
        var ops = new Ops(Backend.NATIVE, 2)) {
      var vae = vae(dir, checkpoint);
      var z = goldens.image("vae.decode.latent");
      var bf16 = new Functional(ops, DType.Plain.BF16);
      var found =
          vae.decode(
              bf16,
              z,
              (name, x) -> assertTrue(max(bf16.toF32(x)) > F16_MAX, name + " fits into F16"));
      for (float value : found.toFloats()) {
        assertTrue(Float.isFinite(value));
      }
      var expected = vae.decode(new Functional(ops, DType.Plain.F32), z);
      Difference.of(image(expected), image(found)).within(3, 20);
    }
  }

  private static float max(Tensor t) {
    float max = 0;
    for (float value : t.toFloats()) {
      max = Math.max(max, Math.abs(value));
    }
    return max;
  }

  /// Of pixels (1, H, W, 3) from -1 to 1.
  private static Image image(Tensor pixels) {
    float[] values = pixels.slice(0, 0, 1).toFloats();
    var bytes = Arena.ofAuto().allocate(values.length);
    for (int i = 0; i < values.length; i++) {
      float value = Math.clamp(values[i] / 2 + 0.5f, 0, 1);
      bytes.set(ValueLayout.JAVA_BYTE, i, (byte) Math.rint(value * 255));
    }
    return Image.of((int) pixels.dim(2), (int) pixels.dim(1), 3, bytes);
  }

  private static Tensor scaled(Tensor t, float factor) {
    float[] values = t.toFloats();
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, t.shape().dims());
  }

  private static AutoencoderKL vae(Path dir, Checkpoint checkpoint) {
    var config = AutoencoderKLConfig.of(JsonKeys.read(dir.resolve("vae/config.json")));
    return new AutoencoderKL(config, Weights.of(checkpoint));
  }
}
