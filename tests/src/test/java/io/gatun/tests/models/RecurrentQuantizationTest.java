package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Models with recurrent layers whose matrices are quantized: their logits are those of the same
/// values as floats, and near the original's. The models are the goldens with layers of each kind,
/// widened so that rows are whole groups and blocks.
class RecurrentQuantizationTest {
  private static final Path GOLDENS = TestData.ROOT.resolve("tests/src/test/resources/llm");
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /// How much wider.
  private static final int WIDER = 16;

  private static final Pattern WIDTHS =
      Pattern.compile(
          "(hidden|intermediate|moe_intermediate|shared_expert_intermediate|ssm_state)_size"
              + "|(linear_key_|linear_value_|mamba_)?head_dim|block_multiple_of|mamba_d_(head|ssm|state)"
              + "|.*\\.(embedding|(expert_(shared_)?)?feed_forward|attention\\.(key|value))_length"
              + "|.*\\.attention\\.(key|value)_length|.*\\.ssm\\.(state|inner)_size"
              + "|.*\\.rope\\.dimension_count");

  /// Of heads, experts or words, which do not become more.
  private static final Pattern NARROW =
      Pattern.compile(".*(A_log|dt_bias|\\.D|ssm_[ad]|ssm_dt\\.bias)$");

  private static final Pattern NARROW_ROWS =
      Pattern.compile(
          "(model\\.embed_tokens|backbone\\.embeddings|lm_head|token_embd|output)\\.weight"
              + "|.*(in_proj_(a|b|ba)|ssm_(alpha|beta|ba)|mlp\\.gate|ffn_gate_inp|shared_expert_gate"
              + "|ffn_gate_inp_shexp)\\.weight");

  /// What stays as it is: it is small, and errors in it last.
  private static final Pattern UNTOUCHED =
      Pattern.compile(
          ".*(conv1d|conv\\.conv|shortconv\\.conv|norm\\w*|A_log|dt_bias|\\.D|ssm_[ad]|ssm_dt"
              + "|in_proj_(a|b|ba)|ssm_(alpha|beta|ba)|mlp\\.gate|ffn_gate_inp(_shexp)?"
              + "|shared_expert_gate)(\\.(weight|bias))?");

  @TempDir private Path dir;

  /// The root of the mean squared difference of logits, over that of their deviation; where there
  /// are experts, small errors may choose others.
  @ParameterizedTest
  @CsvSource({
    "lfm2, '0,2', 0.012, 0.15",
    "qwen3_next, '0,3', 0.025, 0.35",
    "qwen3_5, '0,3', 0.02, 0.3",
    "qwen3_5_moe, '0,3', 0.3, 0.4",
    "falcon_h1, '0', 0.012, 0.15",
    "nemotron_h, '0,1,3', 0.015, 0.2"
  })
  void tiles(String name, String layers, double far8, double far4) throws IOException {
    Path folder = Files.createDirectories(dir.resolve("model"));
    Path model = folder.resolve("model.safetensors");
    write(GOLDENS.resolve(name).resolve("weights.json"), layers, model);
    var config = (ObjectNode) JSON.readTree(GOLDENS.resolve(name).resolve("config.json").toFile());
    widen(config);
    config.put("num_hidden_layers", layers.split(",").length);
    JSON.writeValue(folder.resolve("config.json").toFile(), config);
    for (int bits : new int[] {8, 4}) {
      Path out = dir.resolve("int" + bits);
      rewrite(model, c -> Rewrite.quantized(c, new DType.Tiled(bits, 32)), out);
      assertNear(logits(model), logits(out), bits == 8 ? far8 : far4, name + " int" + bits);
      Path floats = Files.createDirectories(dir.resolve("floats" + bits));
      Files.copy(folder.resolve("config.json"), floats.resolve("config.json"));
      try (var checkpoint = Checkpoint.open(out)) {
        var writer = new SafetensorsWriter();
        checkpoint.tensors().forEach((n, t) -> writer.add(n, Requantized.asFloats(t)));
        writer.write(floats.resolve("model.safetensors"));
      }
      assertNear(logits(floats), logits(out), 1e-4, name + " as floats");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "lfm2, '0,2'",
    "qwen3_next, '0,3'",
    "qwen3_5, '0,3'",
    "qwen3_5_moe, '0,3'",
    "falcon_h1, '0'"
  })
  void blocks(String name, String layers) throws IOException {
    Path model = dir.resolve("model.gguf");
    write(GOLDENS.resolve(name).resolve("gguf.json"), layers, model);
    for (var type : new DType.Block[] {DType.Block.Q8_0, DType.Block.Q4_K}) {
      Path out = dir.resolve(type + ".gguf");
      if (type == DType.Block.Q4_K) {
        int _ = Requantized.copy(model, out, RecurrentQuantizationTest::randomLinear);
      } else {
        rewrite(model, c -> Rewrite.gguf(c, type), out);
      }
      Path floats = dir.resolve(type + "-floats.gguf");
      int _ = Requantized.copy(out, floats, Requantized::asFloats);
      assertNear(logits(floats), logits(out), 1e-4, name + " " + type);
    }
  }

  /// A model's description with so many layers, wider.
  private void write(Path description, String layers, Path model) throws IOException {
    var all = (ObjectNode) JSON.readTree(description.toFile());
    var kept = List.of(layers.split(","));
    var tensors = JSON.createObjectNode();
    for (var e : all.get("tensors").properties()) {
      var layer = Pattern.compile("(layers|blk)\\.(\\d+)\\.").matcher(e.getKey());
      int to = layer.find() ? kept.indexOf(layer.group(2)) : 0;
      if (to >= 0) {
        String name = e.getKey().replaceFirst("(layers|blk)\\.\\d+\\.", "$1." + to + ".");
        tensors.set(name, e.getValue());
        if (e.getValue().get(0).isArray()) {
          widen(name, (ArrayNode) e.getValue());
        }
      }
    }
    all.set("tensors", tensors);
    if (all.has("metadata")) {
      var metadata = (ObjectNode) all.get("metadata");
      String prefix = metadata.get("general.architecture").asText();
      metadata.put(prefix + ".block_count", kept.size());
      for (var e : List.copyOf(metadata.properties())) {
        if (e.getValue() instanceof ArrayNode list) {
          var some = JSON.createArrayNode();
          kept.forEach(i -> some.add(list.get(Integer.parseInt(i))));
          metadata.set(e.getKey(), e.getKey().contains("head_count") ? some : list);
        }
      }
      widen(metadata);
    }
    Path json = dir.resolve("wide.json");
    JSON.writeValue(json.toFile(), all);
    RandomWeights.write(json, model);
  }

  private static void widen(ObjectNode numbers) {
    for (var e : List.copyOf(numbers.properties())) {
      if (e.getValue().isInt() && WIDTHS.matcher(e.getKey()).matches()) {
        numbers.put(e.getKey(), WIDER * e.getValue().asInt());
      }
    }
  }

  /// Makes the dimensions of one tensor wider, and its values smaller, so that sums stay as large.
  private static void widen(String name, ArrayNode rule) {
    var dims = (ArrayNode) rule.get(0);
    if (NARROW.matcher(name).matches()) {
      return;
    }
    boolean taps = name.matches(".*(conv1d|conv\\.conv|shortconv\\.conv)\\.weight");
    boolean experts = name.contains("_exps");
    int last = dims.size() - 1;
    for (int i = 0; i <= last; i++) {
      int n = dims.get(i).asInt();
      boolean narrow =
          taps && i > 0
              || experts && i == 0
              || i == 0 && last > 0 && NARROW_ROWS.matcher(name).matches();
      // The state space's first layer has also one row for each of six heads.
      int heads =
          i == 0 && name.matches(".*(mamba\\.in_proj|mixer\\.in_proj|ssm_in)\\.weight") ? 6 : 0;
      dims.set(i, narrow ? n : (n - heads) * WIDER + heads);
    }
    if (last > 0 && !taps && !name.contains("embed") && !name.contains("token_embd")) {
      rule.set(2, rule.get(2).asDouble() / Math.sqrt(WIDER));
    }
  }

  private static void rewrite(Path model, Function<Checkpoint, Rewrite> how, Path out) {
    try (var checkpoint = Checkpoint.open(model);
        var workers = new Workers(2)) {
      how.apply(checkpoint).write(out, workers, bytes -> {});
    }
    try (var before = Checkpoint.open(model);
        var after = Checkpoint.open(out)) {
      int changed = 0;
      for (var e : after.tensors().entrySet()) {
        boolean small = UNTOUCHED.matcher(e.getKey()).matches();
        boolean floats = e.getValue().dtype() == DType.Plain.F32;
        assertTrue(floats || !small, e.getKey() + " is " + e.getValue().dtype().name());
        changed += floats ? 0 : 1;
        boolean table = e.getKey().matches(".*(embed|token_embd).*");
        assertTrue(!floats || small || table, e.getKey() + " stays as it is");
      }
      assertNotEquals(0, changed);
      assertTrue(after.tensors().size() >= before.tensors().size());
    }
  }

  /// Random codes in the matrices of linear layers.
  private static Tensor randomLinear(Tensor t) {
    return t.shape().rank() < 2 || t.dim(-2) < 64 ? t : Requantized.randomQ4K(t);
  }

  private static float[] logits(Path model) {
    try (var checkpoint = Checkpoint.open(model);
        var ops = new Ops(Backend.NATIVE, 2)) {
      var decoder = Architectures.open(checkpoint);
      int[] ids = IntStream.range(0, 24).map(i -> (7 + 37 * i) % 500).toArray();
      try (var sequence = LooseSequence.of(decoder, ids.length);
          var _ = ops.scope()) {
        var hidden = decoder.forward(ops, sequence.batch(ids));
        return decoder.logits(ops, hidden.slice(0, ids.length - 4, ids.length)).toFloats();
      }
    }
  }

  private static void assertNear(float[] expected, float[] found, double far, String what) {
    assertEquals(expected.length, found.length);
    double distance = Requantized.distance(expected, found);
    assertTrue(distance <= far, what + " differs by " + distance);
  }
}
