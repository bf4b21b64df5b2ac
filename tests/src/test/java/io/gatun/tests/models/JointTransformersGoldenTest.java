package io.gatun.tests.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.dit.FluxConfig;
import io.gatun.models.dit.FluxTransformer2DModel;
import io.gatun.models.dit.SD3Config;
import io.gatun.models.dit.SD3Transformer2DModel;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.function.BiConsumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The transformers of Stable Diffusion 3 and FLUX.1 against recorded results of diffusers, part by
/// part; the recorded batches are of two images, each with its own text and time.
class JointTransformersGoldenTest {
  @ParameterizedTest
  @CsvSource({
    "sd3, early, NATIVE, F32, 12",
    "sd3, late, NATIVE, BF16, 12",
    "sd35, early, VECTOR, F32, 12",
    "sd35, early, NATIVE, BF16, 12",
    "sd35, late, NATIVE, F32, 12",
  })
  void stableDiffusion3(
      String model, String call, Backend backend, DType.Plain dtype, int records) {
    Path dir = TestData.shared("diffusion-random/" + model);
    try (var goldens = new Goldens(dir.resolve("golden/transformer.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("transformer"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var config = SD3Config.of(JsonKeys.read(dir.resolve("transformer/config.json")));
      var network = new SD3Transformer2DModel(config, Weights.of(checkpoint));
      String in = call + ".in.";
      for (int row = 0; row < 2; row++) {
        int b = row;
        var out =
            network.forward(
                f,
                goldens.image(in + "hidden_states").get(b),
                goldens.tensor(in + "timestep").getFloat(b),
                goldens.tensor(in + "encoder_hidden_states").get(b),
                goldens.tensor(in + "pooled_projections").slice(0, b, b + 1),
                probe(goldens, call, b));
        goldens.check(call + ".out", t -> Goldens.nhwc(t).get(b), out);
      }
      goldens.assertCompared(records, 1);
    }
  }

  /// Its latents are recorded in patches.
  @ParameterizedTest
  @CsvSource({
    "flux_dev, early, VECTOR, F32, 17",
    "flux_dev, early, NATIVE, F32, 17",
    "flux_dev, early, NATIVE, BF16, 17",
    "flux_dev, late, NATIVE, F32, 5",
    "flux_schnell, early, NATIVE, F32, 5",
    "flux_schnell, late, NATIVE, BF16, 5",
  })
  void flux(String model, String call, Backend backend, DType.Plain dtype, int records) {
    Path dir = TestData.shared("diffusion-random/" + model);
    try (var goldens = new Goldens(dir.resolve("golden/transformer.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("transformer"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var config = FluxConfig.of(JsonKeys.read(dir.resolve("transformer/config.json")));
      var network = new FluxTransformer2DModel(config, Weights.of(checkpoint));
      String in = call + ".in.";
      var places = goldens.tensor(in + "img_ids");
      int rows = (int) places.getFloat(places.dim(0) - 1, 1) + 1;
      int columns = (int) places.getFloat(places.dim(0) - 1, 2) + 1;
      for (int row = 0; row < 2; row++) {
        int b = row;
        var out =
            network.forward(
                f,
                Packed.latents(goldens.tensor(in + "hidden_states").get(b), rows, columns),
                1000 * goldens.tensor(in + "timestep").getFloat(b),
                config.guidanceEmbeds() ? goldens.tensor(in + "guidance").getFloat(b) : 0,
                goldens.tensor(in + "encoder_hidden_states").get(b),
                goldens.tensor(in + "pooled_projections").slice(0, b, b + 1),
                probe(goldens, call, b));
        goldens.check(call + ".out", t -> Packed.latents(t.get(b), rows, columns), out);
      }
      goldens.assertCompared(records, 1);
    }
  }

  private static BiConsumer<String, Tensor> probe(Goldens goldens, String call, int row) {
    return (name, x) ->
        goldens.stage(call + "." + name, t -> t.get(row).reshape(x.shape().dims()), x);
  }
}
