package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Every decoder architecture against transformers' answers: the small random models in
/// `resources/llm`, and those of the test data beside the project where it is there. Each file that
/// says the configuration is a case: `config.json`, `config_published.json`, a GGUF file, and
/// `mxfp4/config.json`.
@Execution(ExecutionMode.CONCURRENT)
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

  /// What writes text in a model that sees, too: its configuration and its names are within the
  /// larger one's, and what guesses further tokens is left alone.
  @Test
  void aPartOfALargerModel() throws IOException {
    Path folder = OURS.resolve("qwen3_5");
    var nested = JSON.createObjectNode().put("model_type", "qwen3_5");
    nested.set("text_config", JSON.readTree(folder.resolve("config_published.json").toFile()));
    Path config = dir.resolve("config.json");
    JSON.writeValue(config.toFile(), nested);
    Path file = dir.resolve("nested.safetensors");
    try (var plain = open(folder, "safetensors");
        var arena = Arena.ofConfined()) {
      var writer = new SafetensorsWriter();
      plain
          .tensors()
          .forEach(
              (name, t) -> writer.add(name.replaceFirst("^model\\.", "model.language_model."), t));
      var other = Tensor.allocate(arena, DType.Plain.F32, 3);
      writer.add("model.visual.merger.norm.weight", other).add("mtp.norm.weight", other);
      writer.write(file);
    }
    try (var checkpoint = Checkpoint.open(file);
        var reference = Checkpoint.open(folder.resolve("reference.safetensors"));
        var ops = new Ops(Backend.NATIVE, 2)) {
      var decoder = Architectures.open(checkpoint, Keys.huggingFace(config));
      new Golden(decoder, ops, reference, "seq0.").checkAtOnce();
    }
  }

  /// In the layout of llama.cpp's converter, for which nothing is recorded: the checkpoint's own
  /// values, and its answers.
  @Test
  void nemotronAsGguf() throws IOException {
    Path folder = OURS.resolve("nemotron_h");
    Path file = dir.resolve("nemotron.gguf");
    try (var plain = open(folder, "safetensors")) {
      var writer = new GgufWriter().metadata("general.architecture", "nemotron_h");
      NEMOTRON_KEYS.forEach((key, value) -> writer.metadata("nemotron_h." + key, value));
      plain
          .tensors()
          .forEach(
              (name, t) -> {
                String gguf = name;
                for (var e : NEMOTRON_NAMES) {
                  gguf = gguf.replaceFirst(e.get(0), e.get(1));
                }
                if (name.endsWith("A_log")) {
                  t = t.map(v -> -Math.exp(v));
                }
                if (name.endsWith("A_log") || name.endsWith(".D")) {
                  t = t.reshape(t.size(), 1);
                } else if (name.endsWith("conv1d.weight")) {
                  t = t.reshape(t.dim(0), t.dim(2));
                } else if (name.endsWith("mixer.norm.weight")) {
                  t = t.reshape(2, t.size() / 2);
                }
                writer.add(gguf, t);
              });
      writer.write(file);
    }
    try (var checkpoint = Checkpoint.open(file);
        var reference = Checkpoint.open(folder.resolve("reference.safetensors"));
        var ops = new Ops(Backend.NATIVE, 2)) {
      new Golden(Architectures.open(checkpoint), ops, reference, "seq0.").checkAtOnce();
    }
  }

  private static final Map<String, Object> NEMOTRON_KEYS =
      Map.ofEntries(
          Map.entry("context_length", 256L),
          Map.entry("embedding_length", 48L),
          Map.entry("block_count", 6L),
          Map.entry("vocab_size", 512L),
          Map.entry("feed_forward_length", List.of(0L, 80L, 0L, 0L, 80L, 0L)),
          Map.entry("attention.head_count", 6L),
          Map.entry("attention.head_count_kv", List.of(0L, 0L, 0L, 2L, 0L, 0L)),
          Map.entry("attention.key_length", 12L),
          Map.entry("attention.value_length", 12L),
          Map.entry("attention.layer_norm_rms_epsilon", 1e-5f),
          Map.entry("attention.layer_norm_epsilon", 1e-5f),
          Map.entry("rope.dimension_count", 8L),
          Map.entry("rope.scaling.finetuned", false),
          Map.entry("ssm.conv_kernel", 4L),
          Map.entry("ssm.inner_size", 48L),
          Map.entry("ssm.state_size", 10L),
          Map.entry("ssm.time_step_rank", 6L),
          Map.entry("ssm.group_count", 2L));

  private static final List<List<String>> NEMOTRON_NAMES =
      List.of(
          List.of("backbone.embeddings", "token_embd"),
          List.of("backbone.norm_f", "output_norm"),
          List.of("lm_head", "output"),
          List.of("backbone.layers.(\\d+)", "blk.$1"),
          List.of("(blk.\\d+).norm", "$1.attn_norm"),
          List.of("mixer.in_proj", "ssm_in"),
          List.of("mixer.conv1d", "ssm_conv1d"),
          List.of("mixer.A_log", "ssm_a"),
          List.of("mixer.D", "ssm_d"),
          List.of("mixer.dt_bias", "ssm_dt.bias"),
          List.of("mixer.norm", "ssm_norm"),
          List.of("mixer.out_proj", "ssm_out"),
          List.of("mixer.([qkv])_proj", "attn_$1"),
          List.of("mixer.o_proj", "attn_output"),
          List.of("mixer.(up|down)_proj", "ffn_$1"));

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
    untested.remove("gemma-embedding"); // has no logits: ReaderGgufTest
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
