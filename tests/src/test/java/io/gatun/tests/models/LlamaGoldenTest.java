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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

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

  /// The same model in every format, and one of stories where it is there.
  static List<Arguments> formats() throws IOException {
    var cases = new ArrayList<Arguments>();
    Path ours = TestData.shared("llm-formats");
    JsonNode golden = JSON.readTree(ours.resolve("golden.json").toFile());
    golden
        .get("greedy")
        .properties()
        .forEach(e -> cases.add(Arguments.of(ours.resolve(e.getKey()), ids(e.getValue()))));
    Path stories = TestData.ROOT.resolveSibling("shared/testdata/llm-stories260K");
    if (Files.exists(stories)) {
      int[] ids =
          ids(
              JSON.readTree(stories.resolve("expected_greedy_ids.json").toFile())
                  .get("greedy_token_ids"));
      for (String file :
          List.of(
              "model-f32.safetensors",
              "stories260K-f32.gguf",
              "consolidated.00.pth",
              "pytorch_model.bin",
              "pytorch_model.legacy.bin",
              "model-f16.safetensors",
              "model-bf16.safetensors",
              "stories260K-f16.gguf",
              "stories260K-q8_0.gguf")) {
        boolean exact = !file.matches(".*(f16|q8_0).*");
        cases.add(
            Arguments.of(
                stories.resolve("derived").resolve(file), exact ? ids : Arrays.copyOf(ids, 64)));
      }
    }
    return cases;
  }

  @ParameterizedTest
  @MethodSource("formats")
  void everyFormat(Path file, int[] ids) {
    boolean all = file.toString().matches(".*llm-formats/model-f32.*");
    for (Backend backend : all ? Backend.values() : new Backend[] {Backend.NATIVE}) {
      try (var checkpoint = Checkpoint.open(file);
          var ops = new Ops(backend, 2)) {
        int[] found = greedy(Architectures.open(checkpoint), ops, new int[] {1}, ids.length);
        assertArrayEquals(ids, found, backend + "");
      }
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
}
