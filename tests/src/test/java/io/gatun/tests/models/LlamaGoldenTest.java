package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The Llama architecture against recorded results of reference implementations.
class LlamaGoldenTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /// With its weights of 16 bits; FAST rounds the activations to as many.
  @ParameterizedTest
  @CsvSource({
    "SCALAR, F32, 1e-4",
    "VECTOR, F32, 1e-4",
    "NATIVE, F32, 1e-4",
    "VECTOR, FAST, 2e-2",
    "NATIVE, FAST, 2e-2"
  })
  void tinyLlm(Backend backend, Precision precision, float tolerance) throws IOException {
    var golden = JSON.readTree(TestData.pretrained("tiny-llm/goldens.json").toFile());
    Path dir = TestData.pretrained("tiny-llm");
    try (var checkpoint = Checkpoint.open(dir.resolve("model.safetensors"));
        var recorded = Checkpoint.open(dir.resolve("goldens.safetensors"));
        var ops = new Ops(backend, 2, precision)) {
      var llama = Architectures.open(checkpoint);
      int n = 0;
      for (JsonNode prompt : golden.get("prompts")) {
        int[] ids = ids(prompt.get("ids"));
        String prefix = "p" + n++ + ".";
        long last = ids.length - 1;
        try (var cache = LooseSequence.of(llama, 512);
            var _ = ops.scope()) {
          var layer = new AtomicInteger();
          var hidden =
              llama.forward(
                  ops,
                  cache.batch(ids),
                  x ->
                      close(
                          recorded.tensor(prefix + "hidden" + layer.getAndIncrement()),
                          x.get(last),
                          tolerance));
          assertEquals(7, layer.get());
          var logits = llama.logits(ops, hidden.slice(0, last, last + 1));
          close(recorded.tensor(prefix + "last_logits"), logits, tolerance);
        }
        if (precision == Precision.FAST) {
          continue; // a rounding may choose another token
        }
        int[] expected = ids(prompt.get("greedy_ids"));
        assertArrayEquals(expected, greedy(llama, ops, ids, expected.length));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "model-f32.safetensors, VECTOR, 0",
    "model-f32.safetensors, NATIVE, 0",
    "model-f32.safetensors, SCALAR, 0",
    "stories260K-f32.gguf, NATIVE, 0",
    "stories260K-f32.gguf, VECTOR, 0",
    "consolidated.00.pth, NATIVE, 0",
    "pytorch_model.bin, NATIVE, 0",
    "pytorch_model.legacy.bin, NATIVE, 0",
    "model-f16.safetensors, NATIVE, 64",
    "model-bf16.safetensors, NATIVE, 64",
    "stories260K-f16.gguf, NATIVE, 64",
    "stories260K-q8_0.gguf, NATIVE, 64",
  })
  void stories260K(String file, Backend backend, int compared) throws IOException {
    Path path = TestData.shared("llm-stories260K/derived/" + file);
    var expected =
        JSON.readTree(TestData.shared("llm-stories260K/expected_greedy_ids.json").toFile());
    int[] ids = ids(expected.get("greedy_token_ids"));
    int[] wanted = compared == 0 ? ids : Arrays.copyOf(ids, compared);
    try (var checkpoint = Checkpoint.open(path);
        var ops = new Ops(backend, 2)) {
      int[] found =
          greedy(
              Architectures.open(checkpoint),
              ops,
              new int[] {expected.get("bos").asInt()},
              wanted.length);
      assertArrayEquals(wanted, found);
    }
  }

  private static int[] greedy(Decoder llama, Ops ops, int[] prompt, int count) {
    var out = new int[count];
    try (var cache = LooseSequence.of(llama, prompt.length + count)) {
      int[] ids = prompt;
      for (int i = 0; i < count; i++) {
        try (var _ = ops.scope()) {
          var last = llama.forward(ops, Batch.of(cache.sequence(), ids, 1));
          out[i] = ops.argmax(llama.logits(ops, last), 0);
          ids = new int[] {out[i]};
        }
      }
    }
    return out;
  }

  /// Equal within `tolerance` of the greatest expected magnitude.
  private static void close(Tensor expected, Tensor found, float tolerance) {
    float[] e = expected.toFloats();
    float[] f = found.toFloats();
    assertEquals(e.length, f.length);
    float max = 0;
    for (float v : e) {
      max = Math.max(max, Math.abs(v));
    }
    for (int i = 0; i < e.length; i++) {
      assertEquals(e[i], f[i], tolerance * max, "element " + i);
    }
  }

  private static int[] ids(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
  }

  private static int[] ints(Tensor t) {
    float[] f = t.toFloats();
    var out = new int[f.length];
    for (int i = 0; i < f.length; i++) {
      out[i] = (int) f[i];
    }
    return out;
  }
}
