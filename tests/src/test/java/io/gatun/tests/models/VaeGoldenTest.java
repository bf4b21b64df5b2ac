package io.gatun.tests.models;

import io.gatun.loaders.Checkpoint;
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
import java.nio.file.Path;
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
      var vae = vae(dir, checkpoint, new Functional(ops, dtype));
      var moments = vae.encode(goldens.image("vae.encode.image"));
      goldens.check("vae.encode.mean", moments.mean());
      goldens.check("vae.encode.logvar", moments.logvar());
      var latent = goldens.image("vae.decode.latent");
      float[] unscaled = latent.toFloats();
      for (int i = 0; i < unscaled.length; i++) {
        unscaled[i] /= vae.config().scalingFactor();
      }
      var z =
          Tensor.ofFloats(Arena.ofAuto(), unscaled, latent.shape().dims());
      goldens.check("vae.decode.image", vae.decode(z));
    }
  }

  @ParameterizedTest
  @CsvSource({"VECTOR, F32", "NATIVE, F32", "NATIVE, BF16"})
  void sdxl(Backend backend, DType.Plain dtype) {
    Path dir = TestData.shared("sdxl-tiny-random");
    try (var goldens =
            new Goldens(dir.resolve("golden/vae.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("vae"));
        var ops = new Ops(backend, 2)) {
      var vae = vae(dir, checkpoint, new Functional(ops, dtype));
      goldens.check(
          "decode.image", vae.decode(goldens.image("decode.z"), goldens::stage));
      goldens.check("decode_wide.image", vae.decode(goldens.image("decode_wide.z")));
      // In BF16 the reference's own means differ by 3e-2.
      var moments = vae.encode(goldens.image("encode.image"), goldens::stage);
      goldens.stage("encode.mean", moments.mean());
      goldens.check("encode.logvar", moments.logvar());
      goldens.assertCompared(17, 3);
    }
  }

  /// In the type that is tested: the configurations of these say that F32 is forced.
  private static AutoencoderKL vae(Path dir, Checkpoint checkpoint, Functional f) {
    var config = AutoencoderKLConfig.of(JsonKeys.read(dir.resolve("vae/config.json")));
    return new AutoencoderKL(config.withForceUpcast(false), Weights.of(checkpoint), f);
  }
}
