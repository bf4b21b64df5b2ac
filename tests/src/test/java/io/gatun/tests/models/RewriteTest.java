package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.GgufWriter;
import io.gatun.models.Llm;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.models.text.Tokenizer;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Models written again with their weights in other types.
class RewriteTest {
  private static final Path TINY_LLM = TestData.pretrained("tiny-llm");
  private static final String TEXT = "ROMEO:\nBut, soft! what light through yonder window breaks?";

  @TempDir private Path temp;

  @ParameterizedTest
  @CsvSource({"4, 32, 0.15", "4, 128, 0.2", "8, 32, 0.02", "8, 64, 0.02"})
  void aQuantizedModelWritesNearlyTheSame(int bits, int groupSize, double tolerance)
      throws IOException {
    var type = new DType.Tiled(bits, groupSize);
    Path out = temp.resolve("out");
    List<String> notes = quantize(TINY_LLM, type, out);
    assertNear(logits(TINY_LLM), logits(out), tolerance);
    try (var checkpoint = Checkpoint.open(out)) {
      assertEquals(DType.Plain.BF16, checkpoint.tensor("model.embed_tokens.weight").dtype());
      assertEquals(DType.Plain.BF16, checkpoint.tensor("model.norm.weight").dtype());
      // Whatever the others, the output has 8 bits.
      assertEquals(new DType.Tiled(8, groupSize), checkpoint.tensor("lm_head.weight").dtype());
      assertEquals(type, checkpoint.tensor("model.layers.3.self_attn.q_proj.weight").dtype());
      // Its rows have 352 elements.
      boolean whole = 352 % groupSize == 0;
      var down = checkpoint.tensor("model.layers.3.mlp.down_proj.weight");
      assertEquals(whole ? type : new DType.Tiled(bits, 32), down.dtype());
      assertEquals(whole ? 0 : 6, notes.size());
      if (!whole) {
        assertTrue(notes.getFirst().endsWith("are no whole groups of " + groupSize));
        assertTrue(notes.getFirst().contains(" becomes INT" + bits + "_G32: "), notes.getFirst());
      }
    }
    var config = new ObjectMapper().readTree(out.resolve("config.json").toFile());
    assertFalse(config.get("tie_word_embeddings").asBoolean());
  }

  @Test
  void whatCannotBeQuantizedIsNotWritten() {
    Path once = temp.resolve("once");
    quantize(TINY_LLM, new DType.Tiled(8, 32), once);
    try (var checkpoint = Checkpoint.open(once)) {
      var e =
          assertThrows(
              CheckpointException.class,
              () -> Rewrite.quantized(checkpoint, new DType.Tiled(8, 32)));
      assertTrue(e.getMessage().contains("nothing to quantize"), e.getMessage());
    }
    Path gguf = temp.resolve("once.gguf");
    write(TINY_LLM, checkpoint -> Rewrite.gguf(checkpoint, DType.Block.Q8_0), gguf);
    try (var checkpoint = Checkpoint.open(gguf)) {
      assertThrows(CheckpointException.class, () -> Rewrite.gguf(checkpoint, DType.Block.Q8_0));
    }
  }

  /// Llama, whose heads GGUF lays out otherwise, with a byte-level tokenizer; and Llama 2's kind of
  /// tokenizer.
  @Test
  void huggingFaceBecomesGguf() {
    Path gguf = temp.resolve("tiny.gguf");
    write(TINY_LLM, checkpoint -> Rewrite.gguf(checkpoint, DType.Block.Q8_0), gguf);
    assertNear(logits(TINY_LLM), logits(gguf), 0.02);
    assertSameTokens(TINY_LLM, gguf);

    Path four = temp.resolve("tiny4.gguf");
    write(TINY_LLM, checkpoint -> Rewrite.gguf(checkpoint, DType.Block.Q4_0), four);
    assertNear(logits(TINY_LLM), logits(four), 0.2);
    try (var checkpoint = Checkpoint.open(four)) {
      assertEquals(2L, checkpoint.metadata().get("general.file_type"));
      assertEquals("gpt-2", checkpoint.metadata().get("tokenizer.ggml.pre"));
      assertEquals(DType.Block.Q8_0, checkpoint.tensor("token_embd.weight").dtype());
      assertEquals(DType.Block.Q4_0, checkpoint.tensor("blk.0.ffn_down.weight").dtype());
    }

    // Of random weights, 32 in a row, a step of 8 bits is a little more of the logits.
    Path sentencePiece = TestData.shared("llm-formats/model-f32.safetensors");
    Path sentencePieceGguf = temp.resolve("sentencepiece.gguf");
    write(
        sentencePiece, checkpoint -> Rewrite.gguf(checkpoint, DType.Block.Q8_0), sentencePieceGguf);
    assertNear(logits(sentencePiece), logits(sentencePieceGguf), 0.03);
    assertSameTokens(sentencePiece, sentencePieceGguf);
  }

  /// Experts, which GGUF stacks and tiles cannot; biases; scaled RoPE. These models' weights are
  /// random, so that small errors may choose other experts: the tensors are near the original's,
  /// and the logits those of a file with the same values as floats.
  @ParameterizedTest
  @ValueSource(strings = {"mixtral", "qwen2", "llama3.1"})
  void ggufStaysGguf(String name) throws IOException {
    Path model = temp.resolve("model.gguf");
    RandomWeights.write(TestData.shared("llm-rewrite/" + name + ".gguf.json"), model);
    Path tiled = temp.resolve("tiled");
    quantize(model, new DType.Tiled(8, 32), tiled);
    assertSameAsFloats(model, tiled);
    assertSameTokens(model, tiled);
    Path blocks = temp.resolve("blocks");
    write(model, checkpoint -> Rewrite.gguf(checkpoint, DType.Block.Q8_0), blocks);
    assertSameAsFloats(model, blocks);
    try (var checkpoint = Checkpoint.open(tiled);
        var original = Checkpoint.open(model)) {
      assertEquals(Format.GGUF, checkpoint.format());
      if (name.equals("mixtral")) {
        var type = checkpoint.tensor("blk.0.ffn_down.1.weight").dtype();
        assertEquals(new DType.Tiled(8, 32), type);
        var router = checkpoint.tensor("blk.0.ffn_gate_inp.weight");
        assertEquals(DType.Plain.F32, router.dtype());
      }
      for (var entry : original.metadata().entrySet()) {
        if (!entry.getKey().matches("general\\.(alignment|file_type)")) {
          assertEquals(entry.getValue(), checkpoint.metadata().get(entry.getKey()));
        }
      }
    }
  }

  private void assertSameAsFloats(Path model, Path rewritten) {
    Path floats = temp.resolve("floats.gguf");
    try (var original = Checkpoint.open(model);
        var checkpoint = Checkpoint.open(rewritten);
        var arena = Arena.ofConfined()) {
      var writer = new GgufWriter();
      original
          .metadata()
          .forEach(
              (key, value) -> {
                if (!key.equals("general.alignment")) {
                  writer.metadata(key, value);
                }
              });
      original
          .tensors()
          .forEach(
              (name, tensor) -> {
                float[] values = values(checkpoint, name, tensor);
                double difference = difference(tensor.toFloats(), values);
                assertTrue(difference < 0.01, name + " differs by " + difference);
                writer.add(name, Tensor.ofFloats(arena, values, tensor.shape().dims()));
              });
      // A tied output matrix became a copy of its own.
      String output = "output.weight";
      if (checkpoint.tensors().containsKey(output) && !original.tensors().containsKey(output)) {
        var tensor = checkpoint.tensor(output);
        writer.add(output, Tensor.ofFloats(arena, tensor.toFloats(), tensor.shape().dims()));
      }
      writer.write(floats);
    }
    assertNear(logits(floats), logits(rewritten), 1e-4);
  }

  /// A tensor's values, or those of the experts that a stack was cut into.
  private static float[] values(Checkpoint checkpoint, String name, Tensor original) {
    if (checkpoint.tensors().containsKey(name)) {
      return checkpoint.tensor(name).toFloats();
    }
    var all = new float[(int) original.size()];
    int experts = (int) original.dim(0);
    for (int e = 0; e < experts; e++) {
      float[] one = checkpoint.tensor(name.replace("_exps", "." + e)).toFloats();
      System.arraycopy(one, 0, all, e * one.length, one.length);
    }
    return all;
  }

  @ParameterizedTest
  @ValueSource(strings = {"q4_0", "q8_0"})
  void packingKeepsEveryValue(String type) {
    Path model = TestData.shared("llm-formats/model-" + type + ".gguf");
    assertPackedExactly(model, new DType.Tiled(type.equals("q4_0") ? 4 : 8, 32), 21);
  }

  @Test
  void packingKeepsTheScalesOfQ4K() {
    Path model = temp.resolve("model.gguf");
    SmallGguf.write(model, DType.Block.Q4_K);
    assertPackedExactly(model, DType.Tiled.of(DType.Tiled.Form.MINIMA), 7);
  }

  @Test
  void packingKeepsTheLevelsOfTwoBits() {
    Path model = temp.resolve("model.gguf");
    SmallGguf.write(model, DType.Block.IQ2_XXS);
    assertPackedExactly(model, DType.Tiled.of(DType.Tiled.Form.IQ2), 7);
  }

  private void assertPackedExactly(Path model, DType.Tiled type, int matrices) {
    Path out = temp.resolve("packed.gguf");
    write(model, Rewrite::packed, out);
    int tiled = 0;
    try (var before = Checkpoint.open(model);
        var after = Checkpoint.open(out)) {
      for (var entry : after.tensors().entrySet()) {
        var original = before.tensors().get(entry.getKey());
        if (original == null) {
          assertEquals("output.weight", entry.getKey());
          original = before.tensor("token_embd.weight");
        }
        assertArrayEquals(original.toFloats(), entry.getValue().toFloats(), entry.getKey());
        if (entry.getValue().dtype() instanceof DType.Tiled) {
          assertEquals(type, entry.getValue().dtype());
          tiled++;
        }
      }
    }
    assertTrue(tiled >= matrices, tiled + " matrices are tiled");
  }

  @Test
  void tellsHowFarItIs() {
    var told = new AtomicLong();
    try (var checkpoint = Checkpoint.open(TINY_LLM);
        var workers = new Workers(1)) {
      var rewrite = Rewrite.quantized(checkpoint, new DType.Tiled(4, 32));
      rewrite.write(temp.resolve("out"), workers, told::addAndGet);
      assertEquals(rewrite.bytes(), told.get());
    }
  }

  /// A full disk shows itself to the writer as any failure in the middle.
  @Test
  void aFailureLeavesNothing() throws IOException {
    try (var checkpoint = Checkpoint.open(TINY_LLM);
        var workers = new Workers(1)) {
      var rewrite = Rewrite.quantized(checkpoint, new DType.Tiled(4, 32));
      assertThrows(
          CheckpointException.class,
          () ->
              rewrite.write(
                  temp.resolve("out"),
                  workers,
                  bytes -> {
                    throw new CheckpointException("No space left on device");
                  }));
    }
    try (var left = Files.list(temp)) {
      assertEquals(List.of(), left.toList());
    }
  }

  private Path copyOfTinyLlm(String name) throws IOException {
    Path copy = Files.createDirectories(temp.resolve(name));
    for (String file : List.of("model.safetensors", "config.json", "tokenizer.json")) {
      Files.copy(TINY_LLM.resolve(file), copy.resolve(file));
    }
    return copy;
  }

  @Test
  void refusesToWriteOverTheModelItself() throws IOException {
    Path copy = copyOfTinyLlm("above/copy");
    Path link = Files.createSymbolicLink(temp.resolve("link"), copy);
    var places =
        List.of(
            copy,
            link,
            copy.resolve("../copy"),
            copy.resolve("int4"),
            link.resolve("int4/int4"),
            copy.getParent());
    for (Path out : places) {
      var e =
          assertThrows(
              CheckpointException.class, () -> quantize(copy, new DType.Tiled(4, 32), out));
      assertTrue(e.getMessage().contains("where the model itself lies"), e.getMessage());
    }
    // A directory whose weights, or tokenizer, are the model's own under another name.
    Path linked = Files.createDirectories(temp.resolve("linked"));
    Files.createLink(linked.resolve("model.safetensors"), copy.resolve("model.safetensors"));
    Path tokenizer = Files.createDirectories(temp.resolve("tokenizer"));
    Files.createSymbolicLink(tokenizer.resolve("tokenizer.json"), copy.resolve("tokenizer.json"));
    for (Path out : List.of(linked, tokenizer)) {
      var e =
          assertThrows(
              CheckpointException.class, () -> quantize(copy, new DType.Tiled(4, 32), out));
      assertTrue(e.getMessage().contains("a file of the model"), e.getMessage());
    }
    assertEquals(-1, Files.mismatch(TINY_LLM.resolve("config.json"), copy.resolve("config.json")));
    assertEquals(3, copy.toFile().list().length);
  }

  @Test
  void refusesToWriteOverAGgufFileItself() throws IOException {
    Path model = Files.createDirectories(temp.resolve("models")).resolve("model.gguf");
    SmallGguf.write(model, DType.Block.Q4_0);
    byte[] whole = Files.readAllBytes(model);
    Path readme = Files.writeString(model.resolveSibling("README.md"), "read me");
    Path link = Files.createSymbolicLink(temp.resolve("link.gguf"), model);
    Path hard = Files.createLink(temp.resolve("hard.gguf"), model);
    for (Path out : List.of(model, link, hard, temp.resolve("models/../link.gguf"), readme)) {
      var e = assertThrows(CheckpointException.class, () -> write(model, Rewrite::packed, out));
      assertTrue(e.getMessage().contains("a file of the model"), e.getMessage());
    }
    assertArrayEquals(whole, Files.readAllBytes(model));
    assertTrue(Files.isSymbolicLink(link));
    Path beside = model.resolveSibling("packed.gguf");
    write(model, Rewrite::packed, beside);
    assertTrue(Files.exists(beside));
  }

  @Test
  void onlyTheModelsOwnFilesAreCopied() throws IOException {
    Path copy = copyOfTinyLlm("copy");
    for (String name :
        List.of("LICENSE", "README.md", "LICENSE.key", "tokenizer.pem", "notes.txt", ".env")) {
      Files.writeString(copy.resolve(name), "x");
    }
    Path out = temp.resolve("out");
    quantize(copy, new DType.Tiled(4, 32), out);
    try (var files = Files.list(out)) {
      assertEquals(
          List.of("LICENSE", "README.md", "config.json", "model.safetensors", "tokenizer.json"),
          files.map(f -> f.getFileName().toString()).sorted().toList());
    }
  }

  @Test
  void aLinkOutOfTheModelsDirectoryIsNotFollowed() throws IOException {
    Path copy = copyOfTinyLlm("copy");
    Path secret = Files.writeString(temp.resolve("secret"), "secret");
    Files.createSymbolicLink(copy.resolve("LICENSE"), secret);
    Path out = temp.resolve("out");
    var e =
        assertThrows(CheckpointException.class, () -> quantize(copy, new DType.Tiled(4, 32), out));
    assertTrue(e.getMessage().contains("is a link to " + secret.toRealPath()), e.getMessage());
    assertFalse(Files.exists(out));
  }

  /// There a model's files are links to the blobs of the same model.
  @Test
  void aSnapshotOfTheHubIsCopied() throws IOException {
    Path repository = temp.resolve("models--gatun--tiny-llm");
    Path blobs = Files.createDirectories(repository.resolve("blobs"));
    Path snapshot = Files.createDirectories(repository.resolve("snapshots/0123456789abcdef"));
    for (String name : List.of("model.safetensors", "config.json", "tokenizer.json")) {
      Files.copy(TINY_LLM.resolve(name), blobs.resolve("blob-of-" + name));
      Files.createSymbolicLink(snapshot.resolve(name), Path.of("../../blobs/blob-of-" + name));
    }
    Path out = temp.resolve("out");
    quantize(snapshot, new DType.Tiled(4, 32), out);
    assertFalse(Files.isSymbolicLink(out.resolve("tokenizer.json")));
    assertEquals(
        -1, Files.mismatch(TINY_LLM.resolve("tokenizer.json"), out.resolve("tokenizer.json")));
    // Blobs of another model are not this one's.
    Path other = Files.createDirectories(temp.resolve("models--other/blobs")).resolve("b");
    Files.writeString(other, "secret");
    Files.createSymbolicLink(snapshot.resolve("LICENSE"), other);
    assertThrows(
        CheckpointException.class,
        () -> quantize(snapshot, new DType.Tiled(4, 32), temp.resolve("out2")));
  }

  private static List<String> quantize(Path model, DType.Tiled type, Path out) {
    return write(model, checkpoint -> Rewrite.quantized(checkpoint, type), out);
  }

  private static List<String> write(Path model, Function<Checkpoint, Rewrite> how, Path out) {
    try (var checkpoint = Checkpoint.open(model);
        var workers = new Workers(2)) {
      var rewrite = how.apply(checkpoint);
      rewrite.write(out, workers, bytes -> {});
      return rewrite.notes();
    }
  }

  private static float[] logits(Path model) {
    try (var llm = Llm.load(model, o -> o.threads(2).precision(Precision.F32))) {
      return llm.logits(TEXT);
    }
  }

  private static void assertSameTokens(Path model, Path out) {
    try (var before = Llm.load(model, o -> o.threads(1));
        var after = Llm.load(out, o -> o.threads(1))) {
      Tokenizer a = before.tokenizer();
      Tokenizer b = after.tokenizer();
      assertArrayEquals(a.encode(TEXT), b.encode(TEXT));
      assertEquals(a.eos(), b.eos());
      assertEquals(a.bos(), b.bos());
      assertEquals(a.decode(a.encode(TEXT)), b.decode(b.encode(TEXT)));
    }
  }

  private static void assertNear(float[] expected, float[] found, double tolerance) {
    double difference = difference(expected, found);
    assertTrue(difference <= tolerance, "the logits differ by " + difference);
  }

  /// The root of the mean squared difference, relative to the expected values' own deviation.
  private static double difference(float[] expected, float[] found) {
    assertEquals(expected.length, found.length);
    double mean = 0;
    for (float v : expected) {
      mean += v / (double) expected.length;
    }
    double error = 0;
    double power = 0;
    for (int i = 0; i < expected.length; i++) {
      error += Math.pow(expected[i] - found[i], 2);
      power += Math.pow(expected[i] - mean, 2);
    }
    return error == 0 ? 0 : Math.sqrt(error / power);
  }
}
