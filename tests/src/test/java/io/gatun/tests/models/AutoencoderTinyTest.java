package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.models.nn.Weights;
import io.gatun.models.vae.AutoencoderTiny;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// A trained tiny autoencoder on a photograph, against what its authors' code makes of it in
/// PyTorch.
class AutoencoderTinyTest {
  private static final double DECIBELS = 33.2433;
  private static final double DEVIATION = 0.84665;
  private static final float[] LATENT = {-0.0870760f, -0.0110758f, 0.4985626f, -0.6126783f};
  private static final float[] PIXEL = {0.3932228f, 0.3823817f, 0.4323056f};

  private static final int SIDE = 256;

  @ParameterizedTest
  @CsvSource({"NATIVE, F32, 1e-4", "VECTOR, F32, 1e-4", "NATIVE, BF16, 2e-2"})
  void photograph(Backend backend, DType.Plain dtype, float tolerance) {
    try (var encoder = Checkpoint.open(TestData.shared("taesd/taef2_encoder.pth"));
        var decoder = Checkpoint.open(TestData.shared("taesd/taef2_decoder.pth"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var vae = new AutoencoderTiny(Weights.of(encoder), Weights.of(decoder));
      var image = photograph(ops);
      var latents = vae.encode(f, image).mean();
      assertEquals(Shape.of(1, 32, 32, 32), latents.shape());
      assertEquals(DEVIATION, deviation(latents.toFloats()), tolerance);
      float max = 4; // about the greatest latent
      for (int i = 0; i < LATENT.length; i++) {
        assertEquals(LATENT[i], latents.getFloat(0, 5, 7, i), tolerance * max);
      }
      var decoded = vae.decode(f, latents);
      for (int i = 0; i < PIXEL.length; i++) {
        assertEquals(PIXEL[i], decoded.getFloat(0, 100, 60, i), tolerance);
      }
      double found = decibels(image.toFloats(), decoded.toFloats());
      assertEquals(DECIBELS, found, 10 * tolerance);
    }
  }

  /// The encoder of another compression begins otherwise.
  @Test
  void otherLayers() {
    try (var encoder = Checkpoint.open(TestData.shared("taesd/taesana_encoder.pth"))) {
      var weights = Weights.of(encoder);
      var e = assertThrows(CheckpointException.class, () -> new AutoencoderTiny(weights, null));
      assertTrue(e.getMessage().contains("taesana_encoder.pth"), e.getMessage());
    }
  }

  private static Tensor photograph(Ops ops) {
    var image =
        Image.read(TestData.shared("images/truck.jpg"))
            .rgb()
            .crop(0, 0, 534, 534)
            .resize(SIDE, SIDE, Filter.LANCZOS, ops.workers());
    var values = new float[SIDE * SIDE * 3];
    for (int i = 0; i < values.length; i++) {
      values[i] = image.get(i / 3 % SIDE, i / 3 / SIDE, i % 3) / 127.5f - 1;
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, 1, SIDE, SIDE, 3);
  }

  private static double deviation(float[] values) {
    double sum = 0;
    double squares = 0;
    for (float v : values) {
      sum += v;
      squares += v * v;
    }
    double mean = sum / values.length;
    return Math.sqrt(squares / values.length - mean * mean);
  }

  /// The peak signal-to-noise ratio of images of -1..1, the second clamped to that.
  private static double decibels(float[] a, float[] b) {
    double squares = 0;
    for (int i = 0; i < a.length; i++) {
      double difference = (a[i] - Math.clamp(b[i], -1, 1)) / 2;
      squares += difference * difference;
    }
    return -10 * Math.log10(squares / a.length);
  }
}
