package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.t5.T5Config;
import io.gatun.models.t5.T5EncoderModel;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// T5's encoder against recorded results of transformers, block by block.
class T5GoldenTest {
  @ParameterizedTest
  @CsvSource({
    "pixart_alpha, text_encoder, 1., SCALAR, F32",
    "pixart_alpha, text_encoder, 1., VECTOR, F32",
    "pixart_alpha, text_encoder, 1., NATIVE, F32",
    "pixart_alpha, text_encoder, 1., VECTOR, BF16",
    "pixart_alpha, text_encoder, 1., NATIVE, BF16",
    "pixart_sigma, text_encoder, 1., NATIVE, F32",
    "sd35, text_encoder_3, 1.text_encoder_3., NATIVE, F32",
    "flux_dev, text_encoder_2, 1.text_encoder_2., NATIVE, F32",
    "flux_dev, text_encoder_2, 1.text_encoder_2., NATIVE, BF16",
  })
  void hiddenStates(String model, String part, String prefix, Backend backend, DType.Plain dtype) {
    Path dir = TestData.shared("diffusion-random/" + model);
    try (var goldens = new Goldens(dir.resolve("golden/text.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve(part));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var config = T5Config.of(JsonKeys.read(dir.resolve(part + "/config.json")));
      var encoder = new T5EncoderModel(config, Weights.of(checkpoint));
      int[] ids = goldens.ids(prefix + "input_ids")[0];
      int[] read = goldens.has(prefix + "attention_mask") ? unpadded(ids, config) : ids;
      var layer = new AtomicInteger();
      var out =
          encoder.forward(
              f,
              read,
              x -> {
                int i = layer.getAndIncrement();
                if (i < config.numLayers() && dtype == DType.Plain.F32) {
                  check(goldens, prefix + "hidden_states." + i, x);
                }
              });
      check(goldens, prefix + "hidden_states." + config.numLayers(), out);
      assertEquals(config.numLayers() + 1, layer.get());
    }
  }

  /// The rows of tokens that are not padding, in F32 or, where it is the result, in either type.
  private static void check(Goldens goldens, String name, Tensor found) {
    goldens.check(name, t -> t.get(0).slice(0, 0, found.dim(0)), found);
  }

  private static int[] unpadded(int[] ids, T5Config config) {
    int end = ids.length;
    while (ids[end - 1] == config.padTokenId()) {
      end--;
    }
    return Arrays.copyOf(ids, end);
  }
}
