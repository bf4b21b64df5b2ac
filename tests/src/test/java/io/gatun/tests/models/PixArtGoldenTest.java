package io.gatun.tests.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.dit.PixArtConfig;
import io.gatun.models.dit.PixArtTransformer2DModel;
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

/// PixArt's transformer against recorded results of diffusers, part by part; the recorded batches
/// are of two images, each with its own text and time.
class PixArtGoldenTest {
  @ParameterizedTest
  @CsvSource({
    "pixart_alpha, t801, VECTOR, F32, 10",
    "pixart_alpha, t801, NATIVE, F32, 10",
    "pixart_alpha, t801, NATIVE, BF16, 10",
    "pixart_alpha, t37, NATIVE, F32, 10",
    "pixart_sigma, t801, NATIVE, F32, 4",
    "pixart_sigma, t37, SCALAR, F32, 4",
    "pixart_sigma, t37, NATIVE, BF16, 4",
  })
  void blocks(String model, String call, Backend backend, DType.Plain dtype, int records) {
    Path dir = TestData.shared("diffusion-random/" + model);
    try (var goldens = new Goldens(dir.resolve("golden/transformer.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("transformer"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var config = PixArtConfig.of(JsonKeys.read(dir.resolve("transformer/config.json")));
      var network = new PixArtTransformer2DModel(config, Weights.of(checkpoint));
      for (int row = 0; row < 2; row++) {
        image(goldens, call + ".", row, f, network);
      }
      goldens.assertCompared(records, 1);
    }
  }

  private static void image(
      Goldens goldens, String call, int row, Functional f, PixArtTransformer2DModel network) {
    BiConsumer<String, Tensor> probe =
        (name, x) -> goldens.stage(call + name, t -> part(t, row, x), x);
    var states = goldens.tensor(call + "encoder_hidden_states").get(row);
    int tokens = 0;
    for (float shown : goldens.tensor(call + "encoder_attention_mask").get(row).toFloats()) {
      tokens += (int) shown;
    }
    boolean sizes = network.config().useAdditionalConditions();
    var resolution = sizes ? goldens.tensor(call + "resolution").get(row).toFloats() : new float[2];
    var caption =
        network.caption(
            f,
            states.slice(0, 0, tokens),
            (name, x) -> goldens.stage(call + name, t -> t.get(row).slice(0, 0, x.dim(0)), x));
    var out =
        network.forward(
            f,
            goldens.image(call + "sample").get(row),
            goldens.tensor(call + "timestep").getFloat(row),
            resolution[0],
            resolution[1],
            caption,
            probe);
    goldens.check(call + "out", t -> Goldens.nhwc(t).get(row), out);
  }

  private static Tensor part(Tensor recorded, int row, Tensor found) {
    return recorded.get(row).reshape(found.shape().dims());
  }
}
