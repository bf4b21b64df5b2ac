package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The autoencoder against recorded results of diffusers.
class VaeGoldenTest {
  @ParameterizedTest
  @CsvSource({"SCALAR, F32", "VECTOR, F32", "NATIVE, F32", "VECTOR, BF16", "NATIVE, BF16"})
  void tinySd(Backend backend, DType.Plain dtype) {
    Path dir = TestData.pretrained("tiny-sd");
    try (var goldens = new Goldens(dir.resolve("goldens.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("vae"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var vae = vae(dir, checkpoint);
      var moments = vae.encode(f, goldens.image("vae.encode.image"));
      goldens.check("vae.encode.mean", moments.mean());
      goldens.check("vae.encode.logvar", moments.logvar());
      var latent = goldens.image("vae.decode.latent");
      float[] unscaled = latent.toFloats();
      for (int i = 0; i < unscaled.length; i++) {
        unscaled[i] /= vae.config().scalingFactor();
      }
      var z = Tensor.ofFloats(Arena.ofAuto(), unscaled, latent.shape().dims());
      goldens.check("vae.decode.image", vae.decode(f, z));
    }
  }

  @ParameterizedTest
  @CsvSource({"VECTOR, F32", "NATIVE, F32", "NATIVE, BF16"})
  void sdxl(Backend backend, DType.Plain dtype) {
    Path dir = TestData.shared("sdxl-tiny-random");
    try (var goldens = new Goldens(dir.resolve("golden/vae.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("vae"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var vae = vae(dir, checkpoint);
      goldens.check("decode.image", vae.decode(f, goldens.image("decode.z"), goldens::stage));
      goldens.check("decode_wide.image", vae.decode(f, goldens.image("decode_wide.z")));
      // In BF16 the reference's own means differ by 3e-2.
      var moments = vae.encode(f, goldens.image("encode.image"), goldens::stage);
      goldens.stage("encode.mean", moments.mean());
      goldens.check("encode.logvar", moments.logvar());
      goldens.assertCompared(17, 3);
    }
  }

  /// Those of transformers' pipelines: 4, 16 and 8 channels, the latter in patches.
  @ParameterizedTest
  @CsvSource({
    "pixart_alpha, NATIVE, F32",
    "sd35, NATIVE, F32",
    "sd35, NATIVE, BF16",
    "flux_dev, VECTOR, F32",
    "flux2_klein, NATIVE, F32",
  })
  void ofTransformers(String model, Backend backend, DType.Plain dtype) {
    Path dir = TestData.shared("diffusion-random/" + model);
    try (var goldens = new Goldens(dir.resolve("golden/vae.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("vae"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var vae = vae(dir, checkpoint);
      goldens.check("decode.image", vae.decode(f, goldens.image("decode.z")));
      var moments = vae.encode(f, goldens.image("encode.image"));
      goldens.stage("encode.mean", moments.mean());
      goldens.stage("encode.logvar", moments.logvar());
      if (goldens.has("encode.patchified_normalized")) {
        var patches = goldens.image("encode.patchified_normalized");
        int rows = (int) patches.dim(1);
        int columns = (int) patches.dim(2);
        float[] latents = vae.forNetwork(moments.mean().toFloats(), rows, columns);
        Goldens.assertClose("patches", patches, latents, 1e-4);
        Goldens.assertClose(
            "latents", moments.mean(), vae.ofNetwork(f, latents, rows, columns), 1e-4);
      }
      goldens.assertCompared(3, 1);
    }
  }

  /// What a tile does not see changes its colours a little: nearly the same image, and the same
  /// where one tile is enough.
  @Test
  void tiles() {
    Path dir = TestData.pretrained("tiny-sd");
    try (var goldens = new Goldens(dir.resolve("goldens.safetensors"), DType.Plain.F32);
        var checkpoint = Checkpoint.open(dir.resolve("vae"));
        var ops = new Ops(Backend.NATIVE, 2)) {
      var f = new Functional(ops, DType.Plain.F32);
      var vae = vae(dir, checkpoint);
      var z = vae.encode(f, goldens.image("vae.encode.image")).mean(); // (1, 8, 8, 4)
      float[] whole = vae.decode(f, z).toFloats();
      assertArrayEquals(whole, vae.decodeTiled(f, z, 8).toFloats(), 1e-5f);
      assertArrayEquals(whole, vae.decodeTiled(f, z, 11).toFloats(), 1e-5f);
      var tiled = vae.decodeTiled(f, z, 5);
      assertEquals(Shape.of(1, 64, 64, 3), tiled.shape());
      double sum = 0;
      float[] t = tiled.toFloats();
      for (int i = 0; i < whole.length; i++) {
        sum += Math.abs(whole[i] - t[i]);
      }
      double mean = sum / whole.length;
      assertTrue(mean > 0 && mean < 0.06, "mean difference " + mean);
      assertThrows(IllegalArgumentException.class, () -> vae.decodeTiled(f, z, 1));
    }
  }

  /// The weights of overlapping tiles sum to one everywhere.
  @Test
  void tilesOfOneColour() {
    Path dir = TestData.pretrained("tiny-sd");
    try (var checkpoint = Checkpoint.open(dir.resolve("vae"));
        var ops = new Ops(Backend.NATIVE, 2)) {
      var f = new Functional(ops, DType.Plain.F32);
      var vae = vae(dir, checkpoint);
      var z = Tensor.ofFloats(Arena.ofAuto(), new float[2 * 13 * 6 * 4], 2, 13, 6, 4);
      var tile = vae.decode(f, z.slice(0, 0, 1).slice(1, 0, 5)); // 3 of 5 rows cover 13
      var whole = vae.decodeTiled(f, z, 6);
      assertEquals(Shape.of(2, 104, 48, 3), whole.shape());
      // In the middle of a tile nothing is blended.
      for (int x = 0; x < 48; x++) {
        assertEquals(tile.getFloat(0, 20, x, 1), whole.getFloat(1, 20, x, 1), 1e-4f);
      }
    }
  }

  private static AutoencoderKL vae(Path dir, Checkpoint checkpoint) {
    var config = AutoencoderKLConfig.of(JsonKeys.read(dir.resolve("vae/config.json")));
    return new AutoencoderKL(config, Weights.of(checkpoint));
  }
}
