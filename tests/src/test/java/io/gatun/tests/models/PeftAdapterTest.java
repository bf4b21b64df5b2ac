package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.quantize.QuantizeConfig;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Adapters in PEFT's form on tiny-llm, against transformers with `W + scale B A` for weights.
class PeftAdapterTest {
  @TempDir private Path temp;

  static Stream<Path> adapters() throws IOException {
    try (var files = Files.list(TestData.shared("peft"))) {
      return files.sorted().toList().stream();
    }
  }

  private static float[] logits(Path model, String text, Consumer<LlmOptions> more) {
    try (var llm =
        Llm.load(
            model,
            o -> {
              o.precision(Precision.F32).kv(DType.Plain.F32).threads(2);
              more.accept(o);
            })) {
      return llm.logits(text);
    }
  }

  private static void assertNear(float[] expected, float[] found, double tolerance) {
    double greatest = 0;
    for (float v : expected) {
      greatest = Math.max(greatest, Math.abs(v));
    }
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], tolerance * greatest, "logit " + i);
    }
  }

  @ParameterizedTest
  @MethodSource("adapters")
  void logitsAreThoseOfMergedWeights(Path adapter) throws IOException {
    var golden = new ObjectMapper().readTree(adapter.resolve("golden.json").toFile());
    String text = golden.get("text").asText();
    var expected = new float[golden.get("logits").size()];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = golden.get("logits").get(i).floatValue();
    }
    Path tiny = TestData.pretrained("tiny-llm");
    for (var backend : Backend.values()) {
      assertNear(expected, logits(tiny, text, o -> o.backend(backend).lora(adapter, 1)), 1e-4);
    }
    float[] none = logits(tiny, text, o -> {});
    assertTrue(Math.abs(none[1] - expected[1]) > 0.01, "the adapter changes something");
    // Half of it twice is all of it; its file is as good a name as its folder.
    Path file = adapter.resolve("adapter_model.safetensors");
    assertNear(expected, logits(tiny, text, o -> o.lora(adapter, 0.5).lora(file, 0.5)), 1e-4);
    assertNear(none, logits(tiny, text, o -> o.lora(adapter, 0.5).lora(file, -0.5)), 1e-4);
  }

  /// Quantized weights stay as they are: the adapter's product comes beside theirs, exactly.
  @Test
  void quantizedWeightsKeepTheirIntegers() throws IOException {
    Path adapter = TestData.shared("peft/attention");
    Path out = temp.resolve("int4");
    try (var checkpoint = Checkpoint.open(TestData.pretrained("tiny-llm"));
        var workers = new Workers(2)) {
      Rewrite.quantized(checkpoint, QuantizeConfig.of(4)).write(out, workers, bytes -> {});
    }
    String text = "ROMEO";
    float[] scalar = logits(out, text, o -> o.backend(Backend.SCALAR).lora(adapter, 1));
    float[] plain = logits(out, text, o -> o.backend(Backend.SCALAR));
    assertTrue(Math.abs(scalar[1] - plain[1]) > 0.01);
    for (var backend : new Backend[] {Backend.VECTOR, Backend.NATIVE}) {
      assertNear(scalar, logits(out, text, o -> o.backend(backend).lora(adapter, 1)), 1e-4);
      assertNear(
          scalar,
          logits(out, text, o -> o.backend(backend).precision(Precision.FAST).lora(adapter, 1)),
          0.03);
    }
    // One token at a time: the kernels of few rows.
    try (var llm = Llm.load(out, o -> o.precision(Precision.F32).threads(2).lora(adapter, 1));
        var session = llm.newSession()) {
      float[] last = null;
      for (int id : llm.tokenizer().encode(text)) {
        last = session.feed(id);
      }
      assertNear(scalar, last, 1e-3);
    }
  }

  @Test
  void otherAdaptationsAreRefusedByName() throws IOException {
    var json = new ObjectMapper();
    Path good = TestData.shared("peft/attention");
    String[][] cases = {
      {"use_dora", "true"},
      {"bias", "\"all\""},
      {"modules_to_save", "[\"lm_head\"]"},
      {"fan_in_fan_out", "true"},
      {"peft_type", "\"LOHA\""},
      {"init_lora_weights", "\"pissa_niter_4\""},
      {"r", "5"},
    };
    for (String[] wrong : cases) {
      Path folder = Files.createDirectories(temp.resolve("wrong-" + wrong[0]));
      Files.copy(
          good.resolve("adapter_model.safetensors"), folder.resolve("adapter_model.safetensors"));
      var config = (ObjectNode) json.readTree(good.resolve("adapter_config.json").toFile());
      config.set(wrong[0], json.readTree(wrong[1]));
      json.writeValue(folder.resolve("adapter_config.json").toFile(), config);
      String message = refusal(TestData.pretrained("tiny-llm"), folder);
      String named = wrong[0].equals("r") ? "the rank of" : wrong[0];
      assertTrue(message.contains(named), message);
    }
    assertTrue(refusal(TestData.pretrained("tiny-llm"), temp).contains("adapter_config.json"));
    Path gguf = TestData.shared("llm-formats/model-f16.gguf");
    assertTrue(refusal(gguf, good).contains("Hugging Face's form"));
    Path other = TestData.shared("llm-formats/model-f32.safetensors");
    String message = refusal(other, good);
    assertTrue(message.contains("lora_A of") || message.contains("no matrix of"), message);
  }

  private static String refusal(Path model, Path adapter) {
    return assertThrows(
            CheckpointException.class, () -> Llm.load(model, o -> o.lora(adapter, 1)).close())
        .getMessage();
  }

  @Test
  void givenTwiceItIsRefused() {
    Path adapter = temp.resolve("a");
    assertThrows(
        IllegalArgumentException.class,
        () ->
            Llm.load(adapter, o -> o.lora(adapter, 1).lora(adapter, Arrays.hashCode(new int[1]))));
  }
}
