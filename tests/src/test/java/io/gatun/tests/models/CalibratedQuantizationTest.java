package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.Quantize;
import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.evaluation.TextComparison;
import io.gatun.models.quantize.ActivationAware;
import io.gatun.models.quantize.CalibrationTexts;
import io.gatun.models.quantize.Method;
import io.gatun.models.quantize.QuantizeConfig;
import io.gatun.models.quantize.Target;
import io.gatun.models.quantized.QuantizedCheckpoint;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.models.text.Tokenizers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Weights rounded with a view to what the layers are given.
@Execution(ExecutionMode.CONCURRENT)
class CalibratedQuantizationTest {
  private static final int THREADS = 2;

  @TempDir private Path temp;

  private static Path tiny() {
    return TestData.pretrained("tiny-llm");
  }

  /// The first half is for calibration, the second for judging.
  private static String half(int which) throws IOException {
    String text = Files.readString(tiny().resolve("heldout.txt"));
    int middle = text.length() / 2;
    return which == 0 ? text.substring(0, middle) : text.substring(middle);
  }

  private static List<int[]> samples() throws IOException {
    return CalibrationTexts.samples(Tokenizers.load(tiny()), List.of(half(0)), 16, 256);
  }

  private static void write(Rewrite rewrite, Path out) {
    try (var workers = new Workers(THREADS)) {
      rewrite.write(out, workers, bytes -> {});
    }
  }

  private Path quantized(QuantizeConfig config, String name) throws IOException {
    return quantized(config, name, samples());
  }

  private Path quantized(QuantizeConfig config, String name, List<int[]> samples)
      throws IOException {
    Path out = temp.resolve(name);
    try (var checkpoint = Checkpoint.open(tiny())) {
      var rewrite = Rewrite.quantized(checkpoint, config);
      if (config.method().isCalibrated()) {
        rewrite.calibrate(samples, out, THREADS, done -> {});
      }
      write(rewrite, out);
    }
    return out;
  }

  /// With as much text as correcting earlier layers' losses needs: less than half of what rounding
  /// to the nearest costs.
  @Test
  void laterLayersMakeUpForEarlierOnes() throws IOException {
    Path play = TestData.shared("text/tinyshakespeare-input.txt");
    String text = Files.readString(play).substring(0, 60_000);
    var pieces = CalibrationTexts.samples(Tokenizers.load(tiny()), List.of(text), 32, 512);
    var config = QuantizeConfig.of(4);
    Path out = temp.resolve("gptq");
    try (var checkpoint = Checkpoint.open(tiny())) {
      var rewrite = Rewrite.quantized(checkpoint, config.by(Method.GPTQ));
      rewrite.calibrate(pieces, out, THREADS, done -> {});
      write(rewrite, out);
    }
    double[] found = divergences(quantized(config, "rtn"), out);
    assertTrue(found[1] < 0.54 * found[0], found[0] + " became " + found[1]);
  }

  /// How far models are from the original, in nats a token.
  private static double[] divergences(Path... paths) throws IOException {
    try (var original = Llm.load(tiny(), o -> o.threads(THREADS));
        var first = Llm.load(paths[0], o -> o.threads(THREADS));
        var second = Llm.load(paths[1], o -> o.threads(THREADS));
        var comparison = new TextComparison(List.of(original, first, second))) {
      var figures = comparison.read(half(1), 512, (done, all) -> {});
      return new double[] {
        figures.get(1).divergence().value(), figures.get(2).divergence().value()
      };
    }
  }

  @Test
  void textsMakeRoundingBetter() throws IOException {
    var config = QuantizeConfig.of(4);
    Path rtn = quantized(config, "rtn");
    Path gptq = quantized(config.by(Method.GPTQ), "gptq");
    double[] found = divergences(rtn, gptq);
    assertTrue(found[1] < 0.7 * found[0], found[0] + " became " + found[1]);
    try (var a = Checkpoint.open(rtn);
        var b = Checkpoint.open(gptq)) {
      assertEquals(a.tensors().keySet(), b.tensors().keySet());
      a.tensors().forEach((name, t) -> assertEquals(t.dtype(), b.tensor(name).dtype(), name));
    }
    assertFalse(Files.exists(temp.resolve("gptq.partial")));
  }

  /// One that needs no texts is not far worse than the nearest integers, and another one.
  @Test
  void outliersAreForgivenWithoutTexts() throws IOException {
    var config = QuantizeConfig.of(4);
    double[] found = divergences(quantized(config, "rtn"), quantized(config.by(Method.HQQ), "hqq"));
    assertTrue(found[1] < 1.25 * found[0] && found[1] != found[0], found[0] + ", " + found[1]);
  }

  /// What comes of it is an ordinary checkpoint that is nearer to the original.
  @Test
  void columnsWithGreatInputsAreScaled() throws IOException {
    var config = QuantizeConfig.of(4);
    Path awq = quantized(config.by(Method.AWQ), "awq");
    double[] found = divergences(quantized(config, "rtn"), awq);
    assertTrue(found[1] < 0.9 * found[0], found[0] + " became " + found[1]);
    try (var a = Checkpoint.open(tiny());
        var b = Checkpoint.open(awq)) {
      for (String norm : new String[] {"input_layernorm", "post_attention_layernorm"}) {
        String name = "model.layers.1." + norm + ".weight";
        assertEquals(DType.Plain.F32, b.tensor(name).dtype());
        assertFalse(Arrays.equals(a.tensor(name).toFloats(), b.tensor(name).toFloats()), name);
      }
    }
  }

  /// Before anything is rounded a model with scales gives the logits that it gave without.
  @ParameterizedTest
  @MethodSource({"trained", "architectures"})
  void scalesAreFoldedExactly(Path model) {
    int[] ids = IntStream.range(1, 40).toArray();
    try (var checkpoint = Checkpoint.open(TestData.complete(model));
        var ops = new Ops(Backend.NATIVE, THREADS, Precision.F32);
        var arena = Arena.ofShared()) {
      var decoder = Architectures.open(checkpoint);
      if (!decoder.layersStandAlone()) {
        return; // refused, see allArchitecturesAreLedThrough
      }
      var all = new ArrayList<Target>();
      checkpoint
          .tensors()
          .forEach(
              (name, t) -> {
                if (decoder.names().isLinear(name) && t.dim(-1) % 32 == 0) {
                  all.add(new Target(name, t, new DType.Tiled(4, 32)));
                }
              });
      var tensors = new HashMap<>(checkpoint.tensors());
      var scaled = new HashMap<String, Tensor>();
      try (var awq =
          new ActivationAware(decoder, checkpoint.tensors(), ops, ops, List.of(ids), all)) {
        for (int i = 0; i < decoder.config().numHiddenLayers(); i++) {
          scaled.putAll(awq.scaled(i, some -> with(checkpoint, tensors, some), arena));
          awq.advance(decoder, i);
        }
      }
      for (var entry : scaled.entrySet()) {
        // Else it would not be among what is written.
        assertTrue(
            entry.getValue().shape().rank() == 1
                || all.stream().anyMatch(t -> t.name().equals(entry.getKey())),
            entry.getKey());
      }
      float[] expected = logits(ops, decoder, ids);
      float[] found = logits(ops, with(checkpoint, tensors, scaled), ids);
      float greatest = 0;
      for (float v : expected) {
        greatest = Math.max(greatest, Math.abs(v));
      }
      assertArrayEquals(expected, found, 1e-4f * greatest);
      if (model.equals(tiny())) {
        for (String name : List.of("input_layernorm", "post_attention_layernorm", "mlp.up_proj")) {
          assertTrue(scaled.containsKey("model.layers.1." + name + ".weight"), name);
        }
        scaled.keySet().removeIf(name -> name.contains("norm"));
        float[] without = logits(ops, with(checkpoint, tensors, scaled), ids);
        assertTrue(Math.abs(without[0] - expected[0]) > 1e-2f * greatest);
      }
    }
  }

  private static Decoder with(
      Checkpoint checkpoint, Map<String, Tensor> tensors, Map<String, Tensor> some) {
    var all = new HashMap<>(tensors);
    all.putAll(some);
    return Architectures.open(QuantizedCheckpoint.with(checkpoint, all));
  }

  private static float[] logits(Ops ops, Decoder decoder, int[] ids) {
    var layout = decoder.layout(DType.Plain.F32);
    try (var own = ops.sharing();
        var _ = own.scope()) {
      var x = decoder.embed(own, ids);
      for (int i = 0; i < decoder.config().numHiddenLayers(); i++) {
        try (var pool = new KvPool(Long.MAX_VALUE);
            var sequence = new Sequence(pool, layout, ids.length)) {
          decoder.forward(own, i, Batch.of(sequence, ids, 0), x);
        }
      }
      return decoder.logits(own, decoder.hidden(own, x)).toFloats();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"GPTQ", "AWQ"})
  void whatWasStoppedGoesOn(Method method) throws IOException {
    var config = QuantizeConfig.of(4).by(method).inGroupsOf(64);
    var samples = samples().subList(0, 4);
    Path whole = quantized(config, "whole", samples);
    Path out = temp.resolve("stopped");
    try (var checkpoint = Checkpoint.open(tiny())) {
      var rewrite = Rewrite.quantized(checkpoint, config);
      assertThrows(
          IllegalStateException.class,
          () ->
              rewrite.calibrate(
                  samples,
                  out,
                  THREADS,
                  done -> {
                    if (done == 2) {
                      throw new IllegalStateException("stopped");
                    }
                  }));
    }
    Path partial = temp.resolve("stopped.partial");
    Path second = partial.resolve("layer-00001.safetensors");
    Object made = Files.readAttributes(second, "unix:ino,lastModifiedTime");
    assertFalse(Files.exists(partial.resolve("layer-00002.safetensors")));
    try (var checkpoint = Checkpoint.open(tiny())) {
      var rewrite = Rewrite.quantized(checkpoint, config);
      rewrite.calibrate(samples, out, THREADS, done -> {});
      assertEquals(made, Files.readAttributes(second, "unix:ino,lastModifiedTime"));
      write(rewrite, out);
    }
    assertFalse(Files.exists(partial));
    assertArrayEquals(
        Files.readAllBytes(whole.resolve("model.safetensors")),
        Files.readAllBytes(out.resolve("model.safetensors")));
  }

  /// Of 4.5 bits an eighth of the weights has 8: those of the matrices that matter most, as many as
  /// fit.
  @Test
  void mostSensitiveMatricesKeepEightBits() throws IOException {
    Path out = temp.resolve("mixed");
    Path first = temp.resolve("mixed.partial/sensitivity-00001.safetensors");
    var config = QuantizeConfig.of(4);
    try (var checkpoint = Checkpoint.open(tiny())) {
      var stopped = Rewrite.quantized(checkpoint, config);
      assertThrows(
          IllegalStateException.class,
          () ->
              stopped.mix(
                  4.5,
                  samples(),
                  out,
                  THREADS,
                  done -> {
                    if (done == 2) {
                      throw new IllegalStateException("stopped");
                    }
                  }));
      Object made = Files.readAttributes(first, "unix:ino,lastModifiedTime");
      var rewrite = Rewrite.quantized(checkpoint, config);
      rewrite.mix(4.5, samples(), out, THREADS, done -> {});
      assertEquals(made, Files.readAttributes(first, "unix:ino,lastModifiedTime"));
      assertTrue(rewrite.notes().getFirst().contains("matrices of layers have 8 bits"));
      write(rewrite, out);
    }
    assertFalse(Files.exists(first.getParent()));
    long bits = 0;
    long weights = 0;
    long least = Long.MAX_VALUE;
    try (var checkpoint = Checkpoint.open(out)) {
      for (var entry : checkpoint.tensors().entrySet()) {
        var tensor = entry.getValue();
        if (tensor.dtype() instanceof DType.Tiled type && entry.getKey().contains(".layers.")) {
          bits += type.bits() * tensor.size();
          weights += tensor.size();
          least = type.bits() == 4 ? Math.min(least, tensor.size()) : least;
        }
      }
    }
    double budget = 4.5 * weights;
    assertTrue(bits <= budget && bits + 4 * least > budget, bits + " bits of " + budget);
    double[] found = divergences(quantized(config, "rtn"), out);
    assertTrue(found[1] < 0.7 * found[0], found[0] + " became " + found[1]);
  }

  /// Finished layers of other work are not taken for this one's.
  @Test
  void otherWorkBeginsAnew() throws IOException {
    Path out = temp.resolve("out");
    for (int group : new int[] {64, 32}) {
      try (var checkpoint = Checkpoint.open(tiny())) {
        var config = QuantizeConfig.of(4).by(Method.GPTQ).inGroupsOf(group);
        var rewrite = Rewrite.quantized(checkpoint, config);
        rewrite.calibrate(samples().subList(0, 1), out, THREADS, done -> {});
        if (group == 32) {
          write(rewrite, out);
        }
      }
    }
    try (var checkpoint = Checkpoint.open(out)) {
      var type = checkpoint.tensor("model.layers.0.self_attn.q_proj.weight").dtype();
      assertEquals(new DType.Tiled(4, 32), type);
    }
  }

  @Test
  void tablesAreChosenApart() throws IOException {
    var shared = quantized(QuantizeConfig.of(4).embeddingBits(8), "shared");
    var own = quantized(QuantizeConfig.of(4).embeddingBits(4).headBits(16), "own");
    var some =
        quantized(QuantizeConfig.of(8).headBits(16).filter(n -> n.contains("layers.3.")), "some");
    try (var a = Checkpoint.open(shared);
        var b = Checkpoint.open(own);
        var c = Checkpoint.open(some)) {
      assertFalse(a.tensors().containsKey("lm_head.weight"));
      var table = "model.embed_tokens.weight";
      assertEquals(new DType.Tiled(8, 32), a.tensor(table).dtype());
      assertEquals(new DType.Tiled(4, 32), b.tensor(table).dtype());
      assertEquals(
          7, c.tensors().values().stream().filter(t -> t.dtype() instanceof DType.Tiled).count());
    }
    double[] found = divergences(shared, some);
    assertTrue(found[0] < 0.04, "table of 8 bits: " + found[0]);
    assertTrue(found[1] < 0.001, "a layer of 8 bits: " + found[1]);
  }

  /// In memory and in place, in two steps: the logits are those of the file.
  @Test
  void loadedModelsAreQuantizedInPlace() throws IOException {
    var config = QuantizeConfig.of(4).by(Method.HQQ);
    Path file = quantized(config, "file");
    try (var expected = Llm.load(file, o -> o.threads(THREADS));
        var llm = Llm.load(tiny(), o -> o.threads(THREADS));
        var session = llm.newSession()) {
      float[] before = llm.logits("ROMEO:");
      session.feed(llm.tokenizer().encode("ROMEO:"));
      Quantize.apply(llm, config.headBits(16).filter(name -> name.contains(".mlp.")));
      assertFalse(Arrays.equals(before, llm.logits("ROMEO:")));
      Quantize.apply(llm, config);
      assertArrayEquals(expected.logits("ROMEO:"), llm.logits("ROMEO:"));
      session.truncate(0);
      assertArrayEquals(expected.logits("ROMEO:"), session.feed(llm.tokenizer().encode("ROMEO:")));
      assertThrows(
          IllegalArgumentException.class, () -> Quantize.apply(llm, config.by(Method.GPTQ)));
      assertThrows(CheckpointException.class, () -> Quantize.apply(llm, config));
    }
  }

  static Stream<Path> trained() {
    return Stream.of(tiny());
  }

  static Stream<Path> architectures() throws IOException {
    Path folder = TestData.shared("hf-arch");
    try (var files = Files.list(folder)) {
      return files.filter(Files::isDirectory).sorted().toList().stream();
    }
  }

  /// Texts go through all kinds of layers, mixtures with their experts in stacks and recurrent ones
  /// among them.
  @ParameterizedTest
  @MethodSource("architectures")
  void allArchitecturesAreLedThrough(Path model) {
    Path out = temp.resolve("out");
    try (var checkpoint = Checkpoint.open(TestData.complete(model))) {
      var config = QuantizeConfig.of(8).by(Method.GPTQ);
      Rewrite rewrite;
      try {
        rewrite = Rewrite.quantized(checkpoint, config);
      } catch (CheckpointException e) {
        assertTrue(e.getMessage().contains("nothing to quantize"), e.getMessage());
        return;
      }
      var samples = List.of(IntStream.range(1, 40).toArray(), IntStream.range(20, 50).toArray());
      if (!rewrite.decoder().layersStandAlone()) {
        var e =
            assertThrows(
                CheckpointException.class,
                () -> rewrite.calibrate(samples, out, THREADS, done -> {}));
        assertTrue(e.getMessage().contains("--method hqq"), e.getMessage());
        return;
      }
      rewrite.calibrate(samples, out, THREADS, done -> {});
      write(rewrite, out);
    }
    try (var checkpoint = Checkpoint.open(out)) {
      assertTrue(
          checkpoint.tensors().values().stream().anyMatch(t -> t.dtype() instanceof DType.Tiled));
      Architectures.open(checkpoint);
    }
  }
}
