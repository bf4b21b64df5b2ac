package io.gatun.tests.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.dit.Flux2Config;
import io.gatun.models.dit.Flux2Transformer2DModel;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.qwen3.Qwen3Config;
import io.gatun.models.qwen3.Qwen3TextModel;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// FLUX.2 klein's networks against recorded results of diffusers and transformers, part by part.
class Flux2GoldenTest {
  private static Path dir() {
    return TestData.shared("diffusion-random/flux2_klein");
  }

  /// The recorded batches are of two images, each with its own text and time.
  @ParameterizedTest
  @CsvSource({
    "early, VECTOR, F32, 17",
    "early, NATIVE, F32, 17",
    "early, NATIVE, BF16, 17",
    "late, NATIVE, F32, 8",
  })
  void transformer(String call, Backend backend, DType.Plain dtype, int records) {
    try (var goldens = new Goldens(dir().resolve("golden/transformer.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir().resolve("transformer"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var config = Flux2Config.of(JsonKeys.read(dir().resolve("transformer/config.json")));
      var network = new Flux2Transformer2DModel(config, Weights.of(checkpoint));
      String in = call + ".in.";
      var places = goldens.tensor(in + "img_ids");
      long rows = (long) places.getFloat(0, places.dim(1) - 1, 1) + 1;
      long columns = (long) places.getFloat(0, places.dim(1) - 1, 2) + 1;
      for (int row = 0; row < 2; row++) {
        int b = row;
        BiConsumer<String, Tensor> probe =
            (name, x) ->
                goldens.stage(call + "." + name, t -> t.get(b).reshape(x.shape().dims()), x);
        var sample = goldens.tensor(in + "hidden_states").get(b);
        var out =
            network.forward(
                f,
                sample.reshape(rows, columns, sample.dim(1)),
                List.of(),
                1000 * goldens.tensor(in + "timestep").getFloat(b),
                goldens.tensor(in + "encoder_hidden_states").get(b),
                probe);
        goldens.check(call + ".out", t -> t.get(b), out.reshape(rows * columns, sample.dim(1)));
      }
      goldens.assertCompared(records, 1);
    }
  }

  /// Hidden states of a text and of the padding behind it.
  @ParameterizedTest
  @CsvSource({"VECTOR, F32", "NATIVE, F32"})
  void textEncoder(Backend backend, DType.Plain dtype) {
    try (var goldens = new Goldens(dir().resolve("golden/text.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir().resolve("text_encoder"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var config = Qwen3Config.of(JsonKeys.read(dir().resolve("text_encoder/config.json")));
      var encoder = new Qwen3TextModel(config, Weights.of(checkpoint), 27);
      int text = 0;
      for (float shown : goldens.tensor("1.text_encoder.attention_mask").toFloats()) {
        text += (int) shown;
      }
      var layer = new AtomicInteger();
      encoder.forward(
          f,
          goldens.ids("1.text_encoder.input_ids")[0],
          text,
          x ->
              goldens.stage(
                  "1.text_encoder.hidden_states." + layer.getAndIncrement(), t -> t.get(0), x));
      goldens.assertCompared(5, 0);
    }
  }
}
