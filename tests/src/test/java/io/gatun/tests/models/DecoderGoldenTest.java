package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every decoder architecture against transformers' answers: the small random models in
/// `resources/llm`, and those of the test data beside the project where it is there. Each file that
/// says the configuration is a case: `config.json`, `config_published.json`, a GGUF file, and
/// `mxfp4/config.json`.
class DecoderGoldenTest {
  private static final Path OURS = TestData.ROOT.resolve("tests/src/test/resources/llm");
  private static final Path SHARED = TestData.ROOT.resolveSibling("shared/testdata");

  /// Python writes Infinity.
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /// `mxfp4` holds the same weights in the type that a part of them is published in.
  private static final List<String> FILES =
      List.of(
          "config.json", "config_published.json", "gguf.json", "model.gguf", "mxfp4/config.json");

  /// Whose answers depend on how the text is cut: positions are turned by what is known of it.
  private static final Set<String> DEPENDS_ON_CUTS = Set.of("llama_dynamic");

  private static final float HIDDEN = 1e-4f;
  private static final float LOGITS = 2e-4f;

  @TempDir Path dir;

  static List<Path> cases() throws IOException {
    var cases = new ArrayList<Path>();
    for (Path folder : folders()) {
      for (String file : FILES) {
        if (Files.exists(folder.resolve(file))) {
          cases.add(folder.resolve(file));
        }
      }
    }
    return cases;
  }

  private static List<Path> folders() throws IOException {
    var folders = new ArrayList<Path>();
    for (Path parent : List.of(OURS, SHARED.resolve("hf-arch"), SHARED.resolve("llm-arch"))) {
      if (Files.exists(parent)) {
        try (var files = Files.list(parent)) {
          files
              .filter(f -> Files.exists(f.resolve("reference.safetensors")))
              .sorted()
              .forEach(folders::add);
        }
      }
    }
    return folders;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void asTransformers(Path file) throws IOException {
    Path folder = file.getParent();
    boolean gguf = file.getFileName().toString().contains("gguf");
    Path recorded = folder.resolve("reference_gguf.safetensors");
    Path answers =
        Files.exists(folder.resolve("reference.safetensors")) ? folder : folder.getParent();
    try (var checkpoint = open(folder, gguf ? "gguf" : "safetensors");
        var reference =
            Checkpoint.open(
                gguf && Files.exists(recorded)
                    ? recorded
                    : answers.resolve("reference.safetensors"))) {
      var keys = gguf ? Keys.of(checkpoint) : Keys.huggingFace(file);
      var decoder = Architectures.open(checkpoint, keys);
      boolean all = file.startsWith(OURS) && file.endsWith("config.json");
      for (Backend backend : all ? Backend.values() : new Backend[] {Backend.NATIVE}) {
        try (var ops = new Ops(backend, 2)) {
          for (int s = 0; s < 2; s++) {
            check(new Golden(decoder, ops, reference, "seq" + s + "."), folder);
          }
        }
      }
    }
  }

  /// The folder's weights, which are there or only described.
  private Checkpoint open(Path folder, String format) throws IOException {
    Path file = folder.resolve("model." + format);
    if (!Files.exists(file)) {
      Path description = folder.resolve(format.equals("gguf") ? "gguf.json" : "weights.json");
      file = dir.resolve(file.getFileName());
      RandomWeights.write(description, file);
    }
    return Checkpoint.open(file);
  }

  private static void check(Golden golden, Path folder) {
    golden.checkAtOnce();
    golden.checkGreedy();
    if (!DEPENDS_ON_CUTS.contains(folder.getFileName().toString())) {
      golden.checkInChunks(17);
      golden.checkInChunks(1);
    }
  }

  @Test
  void refusesOthersByName() throws IOException {
    Path config = Files.writeString(dir.resolve("config.json"), "{\"model_type\": \"unheard-of\"}");
    try (var checkpoint = open(OURS.resolve("llama"), "safetensors")) {
      var keys = Keys.huggingFace(config);
      var refused =
          assertThrows(CheckpointException.class, () -> Architectures.open(checkpoint, keys));
      assertTrue(refused.getMessage().contains("\"unheard-of\""), refused.getMessage());
    }
  }

  /// Under each of its names; `resources/llm/README.md` says how a golden is added.
  @Test
  void aCleanCloneTestsArchitectures() throws IOException {
    var untested = new TreeSet<>(Architectures.types());
    untested.remove("gemma-embedding"); // has no logits: EncoderGoldenTest, EncoderFilesTest
    for (Path file : cases()) {
      if (file.startsWith(OURS)) {
        untested.remove(
            file.endsWith("gguf.json")
                ? string(file, "/metadata/general.architecture")
                : string(file, "/model_type"));
      }
    }
    assertEquals(Set.of(), untested);
  }

  private static String string(Path json, String pointer) throws IOException {
    return JSON.readTree(json.toFile()).at(pointer).asText();
  }

  /// A model and what it should answer to one text. Where fewer rows are recorded than the text has
  /// tokens, they are those of its last tokens.
  private record Golden(Decoder decoder, Ops ops, Checkpoint reference, String prefix) {
    private int[] ints(String name) {
      float[] values = reference.tensor(prefix + name).toFloats();
      var ints = new int[values.length];
      for (int i = 0; i < ints.length; i++) {
        ints[i] = (int) values[i];
      }
      return ints;
    }

    /// As long as the text and what follows.
    private LooseSequence cache() {
      return LooseSequence.of(decoder, ints("tokens").length + 16);
    }

    void checkAtOnce() {
      Tensor states = reference.tensor(prefix + "hidden"); // (layers + 1, R, D)
      var layers = new ArrayList<float[]>();
      try (var cache = cache();
          var _ = ops.scope()) {
        var hidden =
            decoder.forward(ops, cache.batch(ints("tokens")), x -> layers.add(x.toFloats()));
        assertEquals(states.dim(0), layers.size());
        for (int i = 0; i < layers.size(); i++) {
          float[] expected = states.get(i).toFloats();
          close(expected, last(layers.get(i), expected.length), HIDDEN, "hidden state " + i);
        }
        float[] found = decoder.logits(ops, hidden).toFloats();
        close(logits(), last(found, logits().length), LOGITS, "logits");
      }
    }

    private static float[] last(float[] values, int count) {
      return Arrays.copyOfRange(values, values.length - count, values.length);
    }

    private float[] logits() {
      return reference.tensor(prefix + "logits").toFloats();
    }

    void checkInChunks(int size) {
      int[] ids = ints("tokens");
      float[] expected = logits();
      int rows = (int) reference.tensor(prefix + "logits").dim(0);
      int v = expected.length / rows;
      int first = ids.length - rows;
      try (var cache = cache()) {
        for (int from = 0; from < ids.length; from += size) {
          int to = Math.min(ids.length, from + size);
          try (var _ = ops.scope()) {
            var hidden = decoder.forward(ops, cache.batch(Arrays.copyOfRange(ids, from, to)));
            if (to <= first) {
              continue;
            }
            int known = Math.max(from, first);
            close(
                Arrays.copyOfRange(expected, (known - first) * v, (to - first) * v),
                last(decoder.logits(ops, hidden).toFloats(), (to - known) * v),
                LOGITS,
                "logits of tokens %d to %d in chunks of %d".formatted(known, to - 1, size));
          }
        }
      }
    }

    /// The tokens that follow the text, one by one.
    void checkGreedy() {
      boolean cached = reference.tensors().containsKey(prefix + "greedy_cached");
      int[] expected = ints(cached ? "greedy_cached" : "greedy");
      var found = new int[expected.length];
      int[] ids = ints("tokens");
      try (var cache = cache()) {
        for (int i = 0; i < found.length; i++) {
          try (var _ = ops.scope()) {
            var last = decoder.forward(ops, Batch.of(cache.sequence(), ids, 1));
            found[i] = ops.argmax(decoder.logits(ops, last), 0);
          }
          ids = new int[] {found[i]};
        }
      }
      assertArrayEquals(expected, found, prefix + "greedy");
    }

    private void close(float[] expected, float[] found, float tolerance, String what) {
      assertEquals(expected.length, found.length, what);
      float max = 0;
      float worst = 0;
      for (int i = 0; i < expected.length; i++) {
        max = Math.max(max, Math.abs(expected[i]));
        float difference = Math.abs(expected[i] - found[i]);
        worst = difference <= worst ? worst : difference;
      }
      String message =
          "%s, %s: %s differs by %s of %s".formatted(prefix, ops.backend(), what, worst, max);
      assertTrue(worst <= tolerance * max, message);
    }
  }
}
