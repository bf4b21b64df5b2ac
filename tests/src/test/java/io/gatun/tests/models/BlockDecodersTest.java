package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.GgufWriter;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.UnaryOperator;
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
    int changed = copy(model, blocks, BlockDecodersTest::random);
    assertTrue(changed >= 8, name + " has only " + changed + " matrices of whole blocks");
    Path floats = temp.resolve("floats.gguf");
    copy(blocks, floats, BlockDecodersTest::asFloats);
    double far = distance(logits(floats), logits(blocks));
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

  /// @return how many tensors became others
  private static int copy(Path model, Path out, UnaryOperator<Tensor> how) {
    int changed = 0;
    try (var checkpoint = Checkpoint.open(model)) {
      var writer = new GgufWriter();
      checkpoint
          .metadata()
          .forEach(
              (key, value) -> {
                if (!key.equals("general.alignment")) {
                  writer.metadata(key, value);
                }
              });
      for (var e : checkpoint.tensors().entrySet()) {
        var tensor = how.apply(e.getValue());
        changed += tensor == e.getValue() ? 0 : 1;
        writer.add(e.getKey(), tensor);
      }
      writer.write(out);
    }
    return changed;
  }

  private static Tensor asFloats(Tensor t) {
    return t.dtype() == DType.Plain.F32
        ? t
        : Tensor.ofFloats(Arena.ofAuto(), t.toFloats(), t.shape().dims());
  }

  /// Random codes of about the values' size, where rows are whole blocks; the tensor itself
  /// elsewhere.
  private static Tensor random(Tensor t) {
    if (t.shape().rank() < 2 || t.dim(-1) % TYPE.blockSize() != 0) {
      return t;
    }
    var memory = Arena.ofAuto().allocate(t.size() / TYPE.blockSize() * TYPE.blockBytes(), 64);
    byte[] random = new byte[(int) memory.byteSize()];
    new Random(t.size()).nextBytes(random);
    MemorySegment.copy(random, 0, memory, ValueLayout.JAVA_BYTE, 0, random.length);
    for (long at = 0; at < memory.byteSize(); at += TYPE.blockBytes()) {
      // Codes of 0 to 15 times scales of 0 to 63, less minima of 0 to 63 times 8.
      memory.set(ValueLayout.JAVA_SHORT, at, Float.floatToFloat16(1e-4f));
      memory.set(ValueLayout.JAVA_SHORT, at + 2, Float.floatToFloat16(7.5e-4f));
    }
    return Tensor.of(memory, TYPE, t.shape());
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

  /// The root of the mean squared difference, over that of the values.
  private static double distance(float[] expected, float[] found) {
    double error = 0;
    double power = 0;
    for (int i = 0; i < expected.length; i++) {
      error += Math.pow(expected[i] - found[i], 2);
      power += Math.pow(expected[i], 2);
    }
    return Math.sqrt(error / power);
  }
}
