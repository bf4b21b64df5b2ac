package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.CLIPTextModelWithProjection;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// CLIP's text encoders against recorded results of transformers.
class ClipGoldenTest {
  @ParameterizedTest
  @CsvSource({"SCALAR, F32", "VECTOR, F32", "NATIVE, F32", "VECTOR, BF16", "NATIVE, BF16"})
  void tinySd(Backend backend, DType.Plain dtype) {
    Path dir = TestData.pretrained("tiny-sd");
    try (var goldens = new Goldens(dir.resolve("goldens.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("text_encoder"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var model = new CLIPTextModel(config(dir, "text_encoder"), Weights.of(checkpoint));
      int[][] ids = goldens.ids("text.input_ids");
      goldens.check("text.last_hidden_state", model.forward(f, ids));
      goldens.check("text.last_hidden_state", model.normalized(f, model.hiddenState(f, ids, 0)));
    }
  }

  @ParameterizedTest
  @CsvSource({"VECTOR, F32", "NATIVE, F32", "NATIVE, BF16"})
  void sdxl(Backend backend, DType.Plain dtype) {
    Path dir = TestData.shared("sdxl-tiny-random");
    try (var goldens = new Goldens(dir.resolve("golden/text.safetensors"), dtype);
        var one = Checkpoint.open(dir.resolve("text_encoder"));
        var two = Checkpoint.open(dir.resolve("text_encoder_2"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var first = new CLIPTextModel(config(dir, "text_encoder"), Weights.of(one));
      int[][] ids = goldens.ids("tokenizer.input_ids");
      var layer = new AtomicInteger();
      var last =
          first.hiddenState(
              f,
              ids,
              0,
              x -> goldens.check("text_encoder.hidden_states." + layer.getAndIncrement(), x));
      assertEquals(4, layer.get());
      goldens.check("text_encoder.last_hidden_state", first.normalized(f, last));
      goldens.check("text_encoder.penultimate", first.hiddenState(f, ids, 1));

      var second = new CLIPTextModelWithProjection(config(dir, "text_encoder_2"), Weights.of(two));
      int[][] ids2 = goldens.ids("tokenizer_2.input_ids");
      var output = second.forward(f, ids2, 1);
      goldens.check("text_encoder_2.penultimate", output.hidden());
      goldens.check("text_encoder_2.pooled", output.textEmbeds());
      goldens.check("text_encoder_2.hidden_states.1", second.forward(f, ids2, 2).hidden());
      assertThrows(IllegalArgumentException.class, () -> second.forward(f, ids2, 4));
      assertThrows(IllegalArgumentException.class, () -> first.hiddenState(f, ids, 4));
      assertThrows(
          IllegalArgumentException.class, () -> first.forward(f, new int[][] {new int[78]}));
    }
  }

  private static CLIPTextConfig config(Path dir, String part) {
    return CLIPTextConfig.of(JsonKeys.read(dir.resolve(part).resolve("config.json")));
  }
}
