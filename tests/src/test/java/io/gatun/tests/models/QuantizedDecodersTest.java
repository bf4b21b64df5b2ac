package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.Keys;
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
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Architectures with their matrices in tiles, and within larger models.
@Execution(ExecutionMode.CONCURRENT)
class QuantizedDecodersTest {
  private static final Path LLM = TestData.ROOT.resolve("tests/src/test/resources/llm");
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final Set<String> SIZES =
      Set.of(
          "hidden_size",
          "intermediate_size",
          "moe_intermediate_size",
          "shared_expert_intermediate_size",
          "head_dim",
          "global_head_dim",
          "hidden_size_per_layer_input",
          "q_lora_rank",
          "kv_lora_rank",
          "qk_head_dim",
          "qk_nope_head_dim",
          "qk_rope_head_dim",
          "v_head_dim");

  private static final int[] TEXT = IntStream.range(0, 24).map(i -> 3 + 7 * i % 101).toArray();

  @TempDir private Path temp;

  /// Those with layers that keep a state, which [RecurrentQuantizationTest] has.
  private static final Set<String> RECURRENT =
      Set.of("falcon_h1", "lfm2", "nemotron_h", "qwen3_5", "qwen3_5_moe", "qwen3_next");

  static Stream<Arguments> quantized() throws IOException {
    try (var folders = Files.list(LLM)) {
      return folders.filter(f -> Files.exists(f.resolve("weights.json"))).sorted().toList().stream()
          .map(f -> f.getFileName().toString())
          .filter(name -> !RECURRENT.contains(name))
          .flatMap(name -> Stream.of(Arguments.of(name, 4), Arguments.of(name, 8)));
    }
  }

  /// A quantized model is the model of the values that its integers stand for. And it is as far
  /// from the original as one whose weights have errors of the same sizes, whatever their signs:
  /// how far that is depends on the model, and says nothing about the code.
  @ParameterizedTest
  @MethodSource
  void quantized(String name, int bits) throws IOException {
    Path original = model(name);
    Path tiles = temp.resolve("tiles");
    List<String> notes;
    try (var checkpoint = Checkpoint.open(original);
        var workers = new Workers(2)) {
      var rewrite = Rewrite.quantized(checkpoint, new DType.Tiled(bits, 32));
      notes = rewrite.notes();
      rewrite.write(tiles, workers, bytes -> {});
    }
    assertTrue(notes.stream().allMatch(note -> note.contains("kv_b_proj")), notes.toString());
    float[] found = logits(tiles);
    Path floats = written(tiles, "floats", (n, t) -> t.toFloats());
    assertTrue(distance(logits(floats), found) <= 2e-4, name);
    float[] expected = logits(original);
    double far = deviation(expected, found);
    // Of mixtures, how far is for the most part whether other experts are chosen, and so chance.
    double control = 0;
    for (int seed = 0; seed < 8 && far > 2 * control; seed++) {
      var random = new SplittableRandom(seed);
      try (var checkpoint = Checkpoint.open(original)) {
        var errors =
            written(
                floats, "errors" + seed, (n, t) -> withErrors(random, before(checkpoint, n), t));
        control = Math.max(control, deviation(expected, logits(errors)));
      }
    }
    assertTrue(far > 0 && far <= 2 * control, name + ": " + far + " where chance has " + control);
  }

  /// The model with each tensor's values replaced.
  private Path written(Path model, String folder, BiFunction<String, Tensor, float[]> values)
      throws IOException {
    Path out = Files.createDirectory(temp.resolve(folder));
    Files.copy(model.resolve("config.json"), out.resolve("config.json"));
    try (var checkpoint = Checkpoint.open(model);
        var arena = Arena.ofConfined()) {
      var writer = new SafetensorsWriter();
      checkpoint
          .tensors()
          .forEach(
              (n, t) ->
                  writer.add(n, Tensor.ofFloats(arena, values.apply(n, t), t.shape().dims())));
      writer.write(out.resolve("model.safetensors"));
    }
    return out;
  }

  /// The values of a tensor that was quantized, each moved by as much as that moved it, up or down.
  private static float[] withErrors(SplittableRandom random, float[] before, Tensor quantized) {
    float[] values = quantized.toFloats();
    for (int i = 0; i < values.length; i++) {
      float error = values[i] - before[i];
      values[i] = before[i] + (random.nextBoolean() ? error : -error);
    }
    return values;
  }

  /// What a tensor was: itself, a matrix of a stack, perhaps turned, or an embedding table.
  private static float[] before(Checkpoint original, String name) {
    if (original.tensors().containsKey(name)) {
      return original.tensor(name).toFloats();
    }
    if (name.equals("lm_head.weight")) {
      return original.tensor("model.embed_tokens.weight").toFloats();
    }
    int dot = name.lastIndexOf('.');
    var matrix =
        original.tensor(name.substring(0, dot)).get(Integer.parseInt(name.substring(dot + 1)));
    boolean turned = original.tensors().containsKey("model.layers.0.self_attn.sinks"); // gpt-oss
    return (turned ? matrix.transpose(0, 1) : matrix).toFloats();
  }

  /// The median over tokens of how far the logits are apart, relative to their size: after some
  /// tokens a small error chooses other experts.
  private static double deviation(float[] expected, float[] found) {
    int columns = expected.length / TEXT.length;
    return IntStream.range(0, TEXT.length)
        .mapToDouble(
            t -> {
              double error = 0;
              double power = 0;
              for (int i = t * columns; i < (t + 1) * columns; i++) {
                error += Math.pow(expected[i] - found[i], 2);
                power += Math.pow(expected[i], 2);
              }
              return Math.sqrt(error / power);
            })
        .sorted()
        .skip(TEXT.length / 2)
        .findFirst()
        .getAsDouble();
  }

  /// A folder with a committed model, its sizes multiplied.
  private Path model(String name) throws IOException {
    Path folder = Files.createDirectory(temp.resolve(name));
    var config = (ObjectNode) JSON.readTree(LLM.resolve(name).resolve("config.json").toFile());
    var weights = (ObjectNode) JSON.readTree(LLM.resolve(name).resolve("weights.json").toFile());
    int factor = factor(weights.get("tensors"));
    widen(config, factor);
    for (var tensor : weights.get("tensors").properties()) {
      JsonNode rule = tensor.getValue();
      if (rule.get(0).isTextual()) {
        continue;
      }
      var shape = (ArrayNode) rule.get(0);
      for (int i = 0; i < shape.size(); i++) {
        if (!isCount(tensor.getKey(), i, shape.size())) {
          shape.set(i, shape.get(i).asInt() * factor);
        }
      }
      if (shape.size() > 1) { // sums of more products
        ((ArrayNode) rule).set(2, rule.get(2).asDouble() / Math.sqrt(factor));
      }
    }
    JSON.writeValue(folder.resolve("config.json").toFile(), config);
    Path description = temp.resolve(name + ".json");
    JSON.writeValue(description.toFile(), weights);
    RandomWeights.write(description, folder.resolve("model.safetensors"));
    return folder;
  }

  /// What makes the rows of all matrices whole groups of 32, and experts' halves whole tiles.
  private static int factor(JsonNode tensors) {
    int factor = 1;
    for (JsonNode rule : tensors) {
      int rank = rule.get(0).isTextual() ? 1 : rule.get(0).size();
      for (int i = Math.max(1, rank - 2 + (rank == 2 ? 1 : 0)); i < rank; i++) {
        while (rule.get(0).get(i).asInt() * factor % (rank == 3 ? 64 : 32) != 0) {
          factor *= 2;
        }
      }
    }
    return factor;
  }

  private static void widen(ObjectNode config, int factor) {
    for (var entry : config.properties()) {
      JsonNode value = entry.getValue();
      if (SIZES.contains(entry.getKey()) && value.isInt()) {
        config.put(entry.getKey(), value.asInt() * factor);
      } else if (value instanceof ObjectNode section) {
        widen(section, factor);
      } else if (entry.getKey().matches("(short|long)_factor")) {
        var longer = JSON.createArrayNode();
        value.forEach(v -> IntStream.range(0, factor).forEach(i -> longer.add(v)));
        config.set(entry.getKey(), longer);
      }
    }
  }

  /// Whether a dimension is a number of experts, heads or tokens.
  private static boolean isCount(String name, int dimension, int rank) {
    return dimension == 0
        && (rank == 3
            || name.matches(
                ".*(embed_tokens(_per_layer)?|lm_head|(mlp|moe)\\.gate|router(\\.proj|\\.layer)?)\\.(weight|bias)"
                    + "|.*(shared_expert_gate\\.weight|sinks|per_expert_scale)"
                    + "|.*(layer_scalar|e_score_correction_bias|experts\\..*_bias)"));
  }

  private static float[] logits(Path folder) {
    try (var checkpoint = Checkpoint.open(folder)) {
      return logits(Architectures.open(checkpoint));
    }
  }

  private static float[] logits(Decoder decoder) {
    try (var ops = new Ops(Backend.NATIVE, 2);
        var sequence = LooseSequence.of(decoder, 64);
        var _ = ops.scope()) {
      return decoder.logits(ops, decoder.forward(ops, sequence.batch(TEXT))).toFloats();
    }
  }

  /// The greatest difference, relative to the greatest value.
  private static float distance(float[] expected, float[] found) {
    float max = 0;
    float worst = 0;
    for (int i = 0; i < expected.length; i++) {
      max = Math.max(max, Math.abs(expected[i]));
      worst = Math.max(worst, Math.abs(expected[i] - found[i]));
    }
    return worst / max;
  }

  /// Models that see nest the configuration of the part that writes, and put more before the names
  /// of its tensors.
  @ParameterizedTest
  @CsvSource({
    "gemma3_text, gemma3, language_model.model., language_model.",
    "gemma3_text, gemma3, model.language_model., ''",
    "ministral3, mistral3, language_model.model., language_model.",
    "gemma4, gemma4, model.language_model., ''",
    "gemma4_moe, gemma4, model.language_model., ''",
    "qwen3_5, qwen3_5, model.language_model., ''"
  })
  void partOfALargerModel(String name, String type, String prefix, String head) throws IOException {
    for (String file : List.of("config.json", "config_published.json")) {
      Path alone = temp.resolve("alone.safetensors");
      RandomWeights.write(LLM.resolve(name).resolve("weights.json"), alone);
      var config = JSON.createObjectNode().put("model_type", type);
      config.set("text_config", JSON.readTree(LLM.resolve(name).resolve(file).toFile()));
      config.putObject("vision_config").put("hidden_size", 5);
      Path folder = Files.createDirectories(temp.resolve("whole"));
      JSON.writeValue(folder.resolve("config.json").toFile(), config);
      try (var checkpoint = Checkpoint.open(alone);
          var arena = Arena.ofConfined()) {
        var writer = new SafetensorsWriter();
        checkpoint
            .tensors()
            .forEach(
                (n, t) ->
                    writer.add(n.startsWith("model.") ? prefix + n.substring(6) : head + n, t));
        writer.add("vision_tower.patches.weight", Tensor.allocate(arena, DType.Plain.F32, 5, 3));
        writer.write(folder.resolve("model.safetensors"));
        var decoder =
            Architectures.open(checkpoint, Keys.huggingFace(LLM.resolve(name).resolve(file)));
        assertEquals(0, distance(logits(decoder), logits(folder)), name + " " + file);
      }
    }
  }

  /// Layers that guess further tokens ahead are left alone, and no others.
  @Test
  void layersBehindTheLast() throws IOException {
    Path folder = Files.createDirectories(temp.resolve("draft"));
    var config = (ObjectNode) JSON.readTree(LLM.resolve("glm4_moe/config.json").toFile());
    config.put("num_nextn_predict_layers", 1);
    Path alone = temp.resolve("alone.safetensors");
    RandomWeights.write(LLM.resolve("glm4_moe/weights.json"), alone);
    int layers = config.get("num_hidden_layers").asInt();
    JSON.writeValue(folder.resolve("config.json").toFile(), config);
    try (var checkpoint = Checkpoint.open(alone)) {
      for (int behind : new int[] {0, 1}) {
        var writer = new SafetensorsWriter();
        checkpoint.tensors().forEach(writer::add);
        String name = "model.layers.%d.eh_proj.weight".formatted(layers + behind);
        writer.add(name, checkpoint.tensor("model.norm.weight"));
        writer.write(folder.resolve("model.safetensors"));
        if (behind == 0) {
          assertTrue(logits(folder).length > 0);
        } else {
          var e = assertThrows(CheckpointException.class, () -> logits(folder));
          assertTrue(e.getMessage().contains(name), e.getMessage());
        }
      }
    }
  }
}
