package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// GGUF models of all architectures whose matrices are Q4_K: their logits are those of the same
/// values as floats. The models are the committed ones, widened so that rows are whole blocks.
class BlockDecodersTest {
  private static final Path LLM = TestData.ROOT.resolve("tests/src/test/resources/llm");
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();
  private static final DType.Block TYPE = DType.Block.Q4_K;
  private static final int[] TEXT = IntStream.range(0, 24).map(i -> 3 + 7 * i % 101).toArray();

  /// Those with layers that keep a state, which [RecurrentQuantizationTest] has.
  private static final Set<String> RECURRENT =
      Set.of("falcon_h1", "lfm2", "nemotron_h", "qwen3_5", "qwen3_5_moe", "qwen3_next");

  /// Those of a width of 40, which would have to become 1,280: [QuantizedDecodersTest] has them, in
  /// other types, and gemma2 and gemma4_moe are alike.
  private static final Set<String> LARGE = Set.of("gemma3_text", "gemma4");

  @TempDir private Path temp;

  static Stream<String> architectures() throws IOException {
    try (var folders = Files.list(LLM)) {
      return folders
          .filter(folder -> Files.exists(folder.resolve("gguf.json")))
          .map(folder -> folder.getFileName().toString())
          .filter(name -> !RECURRENT.contains(name) && !LARGE.contains(name))
          .sorted()
          .toList()
          .stream();
    }
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void blocks(String name) throws IOException {
    Path model = wider(LLM.resolve(name).resolve("gguf.json"));
    Path blocks = temp.resolve("blocks.gguf");
    int changed = Requantized.copy(model, blocks, Requantized::randomQ4K);
    assertTrue(changed >= 8, name + " has only " + changed + " matrices of whole blocks");
    Path floats = temp.resolve("floats.gguf");
    int _ = Requantized.copy(blocks, floats, Requantized::asFloats);
    double far = Requantized.distance(logits(floats), logits(blocks));
    assertTrue(far <= 1e-4, name + " differs by " + far);
  }

  /// The model with sizes that make the rows of most matrices whole blocks.
  private Path wider(Path description) throws IOException {
    var all = (ObjectNode) JSON.readTree(description.toFile());
    int factor = factor(all);
    var metadata = (ObjectNode) all.get("metadata");
    for (var e : List.copyOf(metadata.properties())) {
      if (e.getKey()
          .matches(
              ".*\\.(embedding|(expert_(shared_)?)?feed_forward)_length|.*\\.embedding_length_per_layer_input"
                  + "|.*\\.attention\\.((key|value)_length(_mla|_swa)?|(q|kv)_lora_rank)"
                  + "|.*\\.rope\\.dimension_count(_swa)?")) {
        metadata.set(e.getKey(), times(e.getValue(), factor));
      }
    }
    for (var e : all.get("tensors").properties()) {
      if (e.getKey().startsWith("rope_f")) { // a value for each pair of dimensions
        var values = JSON.createArrayNode();
        e.getValue()
            .get(1)
            .forEach(value -> IntStream.range(0, factor).forEach(i -> values.add(value)));
        ((ArrayNode) e.getValue()).set(1, values);
        continue;
      }
      var rule = (ArrayNode) e.getValue();
      var shape = (ArrayNode) rule.get(0);
      for (int i = 0; i < shape.size(); i++) {
        if (!isCount(e.getKey(), i, shape.size())) {
          shape.set(i, shape.get(i).asInt() * factor);
        }
      }
      if (shape.size() > 1) { // sums of more products
        rule.set(2, rule.get(2).asDouble() / Math.sqrt(factor));
      }
    }
    Path json = temp.resolve("wide.json");
    JSON.writeValue(json.toFile(), all);
    Path model = temp.resolve("model.gguf");
    RandomWeights.write(json, model);
    return model;
  }

  private static int factor(JsonNode all) {
    var metadata = all.get("metadata");
    String prefix = metadata.get("general.architecture").asText();
    int width = metadata.get(prefix + ".embedding_length").asInt();
    int factor = 1;
    while (width * factor % TYPE.blockSize() != 0) {
      factor *= 2;
    }
    return factor;
  }

  private static JsonNode times(JsonNode sizes, int factor) {
    if (sizes instanceof ArrayNode list) {
      var more = JSON.createArrayNode();
      list.forEach(size -> more.add(size.asInt() * factor));
      return more;
    }
    return JSON.getNodeFactory().numberNode(sizes.asInt() * factor);
  }

  /// Whether a dimension is a number of experts, heads or tokens.
  private static boolean isCount(String name, int dimension, int rank) {
    return dimension == 0
        && (rank == 3
            || name.matches(
                "(token_embd|per_layer_token_embd|output)\\.weight|.*exp_probs_b.*"
                    + "|.*(ffn_gate_inp|attn_sinks|layer_output_scale)\\.(weight|bias)"
                    + "|.*_exps\\.(bias|scale)"));
  }

  private static float[] logits(Path model) {
    try (var checkpoint = Checkpoint.open(model);
        var ops = new Ops(Backend.NATIVE, 2)) {
      var decoder = Architectures.open(checkpoint);
      try (var sequence = LooseSequence.of(decoder, 64);
          var _ = ops.scope()) {
        return decoder.logits(ops, decoder.forward(ops, sequence.batch(TEXT))).toFloats();
      }
    }
  }
}
