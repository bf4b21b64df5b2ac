package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.PackedModels;
import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.quantized.QuantizedCheckpoint;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Layers and models as quantization tools write them, against the values of the formats'
/// references: each folder and file of the test data is a case.
class QuantFormatsTest {
  /// A part of the test data is here, all of it beside the project.
  private static final List<Path> FOLDERS =
      List.of(
          TestData.ROOT.resolve("tests/src/test/resources/testdata/quant-formats"),
          TestData.ROOT.resolveSibling("shared/testdata/quant-formats"));

  private static final float LOGITS = 5e-4f;

  @TempDir Path dir;

  static List<Path> layers() throws IOException {
    return list("linear", ".golden.safetensors");
  }

  static List<Path> models() throws IOException {
    return list("models", "");
  }

  private static List<Path> list(String kind, String suffix) throws IOException {
    var found = new TreeMap<String, Path>();
    for (Path folder : FOLDERS) {
      if (Files.exists(folder)) {
        try (var files = Files.list(folder.resolve(kind))) {
          files
              .filter(f -> f.toString().endsWith(suffix) && !f.toString().endsWith(".json"))
              .forEach(f -> found.putIfAbsent(f.getFileName().toString(), f));
        }
      }
    }
    return List.copyOf(found.values());
  }

  @ParameterizedTest
  @MethodSource("layers")
  void values(Path golden) throws IOException {
    String name = golden.getFileName().toString().replace(".golden.safetensors", "");
    try (var expected = Checkpoint.open(golden);
        var stored = Checkpoint.open(golden.resolveSibling(name + ".safetensors"))) {
      float[] wanted = expected.tensor("weight").toFloats();
      var layer = QuantizedCheckpoint.of(stored, config(golden.getParent(), name));
      Tensor w =
          layer.tensors().containsKey("linear.weight")
              ? layer.tensor("linear.weight")
              : mxfp4(layer);
      assertEquals(expected.tensor("weight").shape(), w.shape());
      float[] values = w.toFloats();
      int different = 0;
      for (int i = 0; i < values.length; i++) {
        if (values[i] != wanted[i]) {
          different++;
          assertEquals(wanted[i], values[i], Math.ulp(wanted[i]), name + " at " + i);
        }
      }
      // Only where two scales are multiplied may the order of the rounding be another.
      assertTrue(different == 0 || name.equals("bnb-int8"), name);
      rows(w, values);
    }
  }

  private static Tensor mxfp4(Checkpoint layer) {
    String prefix = "experts.gate_up_proj_";
    var all = Tensor.scaled(layer.tensor(prefix + "blocks"), layer.tensor(prefix + "scales"));
    return all.reshape(all.size() / all.dim(-1), all.dim(-1));
  }

  /// Rows that are looked up, and products with rows of the identity, are the same values.
  private static void rows(Tensor w, float[] values) {
    int n = (int) w.dim(0);
    int k = (int) w.dim(1);
    for (var backend : Backend.values()) {
      try (var ops = new Ops(backend, 1);
          var _ = ops.scope()) {
        int[] ids = {n - 1, 0, n / 2};
        float[] looked = ops.embedding(ids, w).toFloats();
        for (int i = 0; i < ids.length; i++) {
          float[] row = Arrays.copyOfRange(values, ids[i] * k, (ids[i] + 1) * k);
          assertArrayEquals(row, Arrays.copyOfRange(looked, i * k, (i + 1) * k), backend.name());
        }
      }
    }
  }

  private static JsonKeys config(Path folder, String name) throws IOException {
    var json = new ObjectMapper();
    JsonNode info = json.readTree(folder.resolve("info.json").toFile()).path(name);
    var config = json.createObjectNode();
    config.set("quantization_config", info.path("quantization_config"));
    return new JsonKeys(config, "config.json");
  }

  @ParameterizedTest
  @MethodSource("models")
  void logits(Path folder) {
    try (var checkpoint = Checkpoint.open(folder.resolve("model.safetensors"));
        var golden = Checkpoint.open(folder.resolve("golden.safetensors"))) {
      var model = Architectures.open(checkpoint);
      for (var backend : Backend.values()) {
        try (var ops = new Ops(backend, 2)) {
          check(model, ops, golden, backend.name());
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'quant_method': 'quip'} | is \"quip\"; Gatun reads auto-round, awq",
        "{'bits': 4} | \"quant_method\" is missing",
        "{'quant_method': 'gptq', 'rotation': 'hadamard'} | \"rotation\": \"hadamard\"",
        "{'quant_method': 'gptq', 'checkpoint_format': 'marlin'} | is \"marlin\"; Gatun reads gptq",
        "{'quant_method': 'awq', 'version': 'gemv'} | \"version\" is \"gemv\"; Gatun reads",
        "{'quant_method': 'awq', 'bits': 3} | \"bits\" is 3.0; Gatun runs only 4.0",
        "{'quant_method': 'compressed-tensors', 'format': 'marlin-24'} | is \"marlin-24\"",
        "{'quant_method': 'compressed-tensors', 'transform_config': {'a': 1}} | transform_config",
        "{'quant_method': 'compressed-tensors', 'config_groups': {'a': {'weights': {'type': 'int',"
            + " 'num_bits': 3}}}} | int3",
        "{'quant_method': 'modelopt', 'quant_algo': 'W4A8_AWQ'} | is \"W4A8_AWQ\"",
        "{'quant_method': 'fp8'} | no tensors of that kind are there"
      })
  void otherKindsAreRefusedByName(String section, String message) throws IOException {
    var json = new ObjectMapper().readTree(section.replace('\'', '"'));
    var config = new ObjectMapper().createObjectNode().set("quantization_config", json);
    try (var checkpoint = Checkpoint.open(TestData.pretrained("tiny-llm"))) {
      var e =
          assertThrows(
              CheckpointException.class,
              () -> QuantizedCheckpoint.of(checkpoint, new JsonKeys(config, "config.json")));
      assertTrue(e.getMessage().contains(message), e.getMessage());
      assertTrue(e.getMessage().contains("quantization_config"), e.getMessage());
    }
  }

  /// Numbers of 3, 5 and 6 bits, which go from one word into the next, along the rows as MLX has
  /// them, and of 3 bits along the columns as GPTQ does.
  @ParameterizedTest
  @CsvSource({"mlx, 3", "mlx, 5", "mlx, 6", "gptq, 3"})
  void bitsThatWordsAreNoMultipleOf(String method, int bits) throws IOException {
    int rows = 32;
    int columns = 128;
    boolean mlx = method.equals("mlx");
    var random = new SplittableRandom(bits);
    var numbers = random.ints(rows * columns, 0, 1 << bits).toArray();
    var zeros = random.ints(rows * 2, 0, 1 << bits).toArray();
    var words = new int[rows * columns * bits / 32];
    var zeroWords = new int[rows * 2 * bits / 32];
    for (int n = 0; n < rows; n++) {
      for (int k = 0; k < columns; k++) {
        for (int b = 0; b < bits; b++) {
          int place = mlx ? (n * columns + k) * bits + b : k * bits + b;
          int word = mlx ? place / 32 : place / 32 * rows + n;
          words[word] |= (numbers[n * columns + k] >> b & 1) << place % 32;
        }
      }
    }
    for (int i = 0; i < rows * 2 * bits; i++) {
      zeroWords[i / 32] |= (zeros[i / bits] >> i % bits & 1) << i % 32;
    }
    var scales = new float[rows * 2];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = (1 + random.nextInt(7)) / 64f;
    }
    Path file = dir.resolve("bits.safetensors");
    try (var arena = Arena.ofConfined()) {
      var stored = Tensor.ofFloats(arena, scales, mlx ? rows : 2, mlx ? 2 : rows);
      var writer = new SafetensorsWriter();
      if (mlx) {
        var w = ints(arena, DType.Plain.U32, words, rows, columns * bits / 32);
        writer.add("l.weight", w).add("l.scales", stored).add("l.biases", stored);
      } else {
        writer
            .add("l.qweight", ints(arena, DType.Plain.I32, words, columns * bits / 32, rows))
            .add("l.qzeros", ints(arena, DType.Plain.I32, zeroWords, 2, rows * bits / 32))
            .add("l.scales", stored);
      }
      writer.write(file);
    }
    String section = mlx ? "{'group_size': 64, 'bits': 4}" : "{'quant_method': 'gptq', 'bits': 3}";
    var json = new ObjectMapper().createObjectNode();
    json.set("quantization_config", new ObjectMapper().readTree(section.replace('\'', '"')));
    try (var stored = Checkpoint.open(file)) {
      var layer = QuantizedCheckpoint.of(stored, new JsonKeys(json, "config.json"));
      float[] found = layer.tensor("l.weight").toFloats();
      for (int n = 0; n < rows; n++) {
        for (int k = 0; k < columns; k++) {
          int group = k / 64;
          int number = numbers[n * columns + k];
          float scale = mlx ? scales[n * 2 + group] : scales[group * rows + n];
          int zero = mlx ? -1 : zeros[group * rows + n] + 1 & (1 << bits) - 1;
          assertEquals((number - zero) * scale, found[n * columns + k]);
        }
      }
    }
  }

  private static Tensor ints(Arena arena, DType type, int[] values, long... dims) {
    var t = Tensor.allocate(arena, type, dims);
    t.segment().copyFrom(MemorySegment.ofArray(values));
    return t;
  }

  /// Written as tiles, a model gives the same logits, whatever its layers were.
  @ParameterizedTest
  @MethodSource("models")
  void packed(Path folder) {
    Path out = dir.resolve("packed");
    try (var checkpoint = Checkpoint.open(folder.resolve("model.safetensors"));
        var golden = Checkpoint.open(folder.resolve("golden.safetensors"));
        var workers = new Workers(2)) {
      var rewrite = Rewrite.packed(checkpoint);
      boolean integers = hasIntegers(checkpoint);
      assertTrue(rewrite.converted() > 0 || !integers, folder.toString());
      rewrite.write(out, workers, bytes -> {});
      try (var written = Checkpoint.open(out);
          var ops = new Ops(Backend.VECTOR, 2)) {
        check(Architectures.open(written), ops, golden, "packed");
        assertTrue(
            written.tensors().keySet().stream().noneMatch(n -> n.endsWith("qweight")),
            folder.toString());
      }
    }
  }

  /// What a model is and needs is told without any tiles being made.
  @ParameterizedTest
  @MethodSource("models")
  void outline(Path folder) {
    try (var stored = Checkpoint.open(folder.resolve("model.safetensors"))) {
      var outline = Architectures.outline(stored);
      var model = Architectures.open(stored);
      assertEquals(
          model.layout(DType.Plain.F16).pageBytes(), outline.layout(DType.Plain.F16).pageBytes());
      assertEquals(model.bytesPerToken(), outline.bytesPerToken(), 0.2 * model.bytesPerToken());
      if (hasIntegers(stored)) {
        var config = Keys.of(stored);
        var made = QuantizedCheckpoint.outline(stored, config).tensors();
        var tiles = made.values().stream().filter(t -> t.dtype() instanceof DType.Tiled).toList();
        assertFalse(tiles.isEmpty());
        assertTrue(tiles.stream().allMatch(t -> t.segment().mismatch(zeros(t.byteSize())) < 0));
      }
    }
  }

  private static MemorySegment zeros(long bytes) {
    return MemorySegment.ofArray(new byte[(int) bytes]);
  }

  /// Tiles are made at the first start only, and not of layers that are read in place.
  @ParameterizedTest
  @MethodSource("models")
  void packedInTheCache(Path folder) throws IOException {
    Path file = folder.resolve("model.safetensors");
    Path cache = dir.resolve("cache");
    boolean integers;
    try (var stored = Checkpoint.open(file)) {
      integers = hasIntegers(stored);
    }
    var notices = new ArrayList<String>();
    for (int start = 0; start < 2; start++) {
      try (var model = new PackedModels(cache, 2, 0, notices::add).open(file, LoadMode.MAP);
          var golden = Checkpoint.open(folder.resolve("golden.safetensors"));
          var ops = new Ops(Backend.VECTOR, 2)) {
        assertEquals(file, model.path());
        String weight = model.tensors().keySet().stream().findFirst().orElseThrow();
        assertEquals(integers, model.file(weight).startsWith(cache), model.file(weight).toString());
        check(Architectures.open(model), ops, golden, "start " + start);
      }
      assertEquals(integers ? 1 : 0, notices.size(), notices.toString());
    }
  }

  /// The same tensors with another configuration are other values.
  @Test
  void aChangedConfigurationIsPackedAnew() throws IOException {
    Path folder =
        models().stream().filter(f -> f.endsWith("mlx-4bit-g64")).findFirst().orElseThrow();
    Path copy = Files.createDirectories(dir.resolve("model"));
    for (String file : List.of("model.safetensors", "config.json")) {
      Files.copy(folder.resolve(file), copy.resolve(file));
    }
    var notices = new ArrayList<String>();
    var cache = new PackedModels(dir.resolve("cache"), 2, 0, notices::add);
    cache.open(copy, LoadMode.MAP).close();
    Files.writeString(copy.resolve("config.json"), " ", StandardOpenOption.APPEND);
    cache.open(copy, LoadMode.MAP).close();
    assertEquals(2, notices.size(), notices.toString());
  }

  /// Whether the model has tensors of which tiles are made.
  private static boolean hasIntegers(Checkpoint model) {
    return model.tensors().entrySet().stream()
        .anyMatch(
            e ->
                e.getKey().matches(".*(qweight|W_q|_weight_qdata|q_proj\\.scales)")
                    || (e.getKey().endsWith("weight_packed")
                        && e.getValue().dtype() == DType.Plain.I32));
  }

  private static void check(Decoder model, Ops ops, Checkpoint golden, String what) {
    var ids = golden.tensor("input_ids");
    var logits = golden.tensor("logits");
    for (int s = 0; s < ids.dim(0); s++) {
      float[] row = ids.get(s).toFloats();
      var prompt = new int[row.length];
      for (int i = 0; i < row.length; i++) {
        prompt[i] = (int) row[i];
      }
      float[] wanted = logits.get(s).toFloats();
      float[] found = logits(model, ops, prompt);
      float most = 0;
      for (float v : wanted) {
        most = Math.max(most, Math.abs(v));
      }
      for (int i = 0; i < wanted.length; i++) {
        assertEquals(wanted[i], found[i], LOGITS * most, what + ", sequence " + s + " at " + i);
      }
    }
  }

  private static float[] logits(Decoder model, Ops ops, int[] ids) {
    try (var cache = LooseSequence.of(model, ids.length);
        var _ = ops.scope()) {
      var hidden = model.forward(ops, Batch.of(cache.sequence(), ids, ids.length));
      return model.logits(ops, hidden).toFloats();
    }
  }
}
