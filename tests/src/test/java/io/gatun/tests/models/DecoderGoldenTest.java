package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.llama.Llama;
import io.gatun.models.llama.LlamaConfig;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.KvCache;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every decoder architecture against transformers' answers: the small random models in
/// `resources/llm`, and those of the test data beside the project where it is there.
class DecoderGoldenTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Set<String> TYPES = Set.of("llama", "mistral", "mixtral", "qwen2", "qwen3");

  static List<Path> models() throws IOException {
    var models = new ArrayList<>(folders(TestData.ROOT.resolve("tests/src/test/resources/llm")));
    assertEquals(6, models.size());
    for (Path folder : folders(TestData.ROOT.resolveSibling("shared/testdata/hf-arch"))) {
      if (TYPES.contains(config(folder).path("model_type").asText())) {
        models.add(folder);
      }
    }
    return models;
  }

  private static List<Path> folders(Path parent) throws IOException {
    if (!Files.exists(parent)) {
      return List.of();
    }
    try (var files = Files.list(parent)) {
      return files.filter(f -> Files.exists(f.resolve("config.json"))).sorted().toList();
    }
  }

  private static JsonNode config(Path folder) throws IOException {
    return JSON.readTree(folder.resolve("config.json").toFile());
  }

  @ParameterizedTest
  @MethodSource("models")
  void asTransformers(Path folder) throws IOException {
    try (var checkpoint = Checkpoint.open(folder.resolve("model.safetensors"));
        var reference = Checkpoint.open(folder.resolve("reference.safetensors"))) {
      Llama llama = load(folder, checkpoint);
      for (Backend backend : Backend.values()) {
        try (var ops = new Ops(backend, 2, Precision.F32)) {
          check(llama, ops, reference);
        }
      }
    }
  }

  private static Llama load(Path folder, Checkpoint checkpoint) throws IOException {
    try {
      return new Llama(
          LlamaConfig.fromJson(new JsonKeys(config(folder), folder + "/config.json")), checkpoint);
    } catch (CheckpointException e) {
      if (folder.startsWith(TestData.ROOT)) {
        throw e;
      }
      return abort("refused: " + e.getMessage());
    }
  }

  private static void check(Llama llama, Ops ops, Checkpoint reference) {
    for (int s = 0; s < 2; s++) {
      String prefix = "seq%d.".formatted(s);
      int[] ids = ints(reference.tensor(prefix + "tokens"));
      Tensor states = reference.tensor(prefix + "hidden"); // (layers + 1, T, D)
      try (var cache = llama.newCache(DType.Plain.F32, ids.length);
          var _ = ops.scope()) {
        var layers = new ArrayList<float[]>();
        var hidden = llama.forward(ops, ids, 0, cache, x -> layers.add(x.toFloats()));
        assertEquals(states.dim(0), layers.size());
        for (int i = 0; i < layers.size(); i++) {
          close(states.get(i).toFloats(), layers.get(i), "hidden state " + i);
        }
        var logits = llama.logits(ops, hidden);
        close(reference.tensor(prefix + "logits").toFloats(), logits.toFloats(), "logits");
      }
      assertArrayEquals(ints(reference.tensor(prefix + "greedy")), greedy(llama, ops, ids));
    }
  }

  /// The prompt in two parts, then sixteen tokens one by one.
  private static int[] greedy(Llama llama, Ops ops, int[] prompt) {
    var found = new int[16];
    try (var cache = llama.newCache(DType.Plain.F32, prompt.length + found.length)) {
      int half = prompt.length / 2;
      next(llama, ops, Arrays.copyOf(prompt, half), 0, cache);
      int[] ids = Arrays.copyOfRange(prompt, half, prompt.length);
      int position = half;
      for (int i = 0; i < found.length; i++) {
        found[i] = next(llama, ops, ids, position, cache);
        position += ids.length;
        ids = new int[] {found[i]};
      }
    }
    return found;
  }

  private static int next(Llama llama, Ops ops, int[] ids, int position, KvCache cache) {
    try (var _ = ops.scope()) {
      var hidden = llama.forward(ops, ids, position, cache);
      return ops.argmax(llama.logits(ops, hidden.slice(0, ids.length - 1, ids.length)), 0);
    }
  }

  private static void close(float[] expected, float[] found, String what) {
    assertEquals(expected.length, found.length, what);
    float max = 0;
    float worst = 0;
    for (int i = 0; i < expected.length; i++) {
      max = Math.max(max, Math.abs(expected[i]));
      worst = Math.max(worst, Math.abs(expected[i] - found[i]));
    }
    assertTrue(worst <= 1e-4f * max, what + " differs by " + worst + " of " + max);
  }

  private static int[] ints(Tensor tensor) {
    float[] values = tensor.toFloats();
    var ints = new int[values.length];
    for (int i = 0; i < ints.length; i++) {
      ints[i] = (int) values[i];
    }
    return ints;
  }
}
