package io.gatun.tests.loaders;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.Format;
import io.gatun.loaders.LoadMode;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What the test data's SOURCE.txt files say of themselves.
class CheckpointTest {
  private static final String FORMATS = "llm-formats/";

  /// Names of GGUF for the names of Hugging Face, for those tensors that all forms store alike (q
  /// and k are permuted in GGUF and in Meta's form).
  private static final Map<String, String> GGUF_NAMES =
      Map.of(
          "model.embed_tokens.weight", "token_embd.weight",
          "model.norm.weight", "output_norm.weight",
          "model.layers.1.self_attn.v_proj.weight", "blk.1.attn_v.weight",
          "model.layers.1.self_attn.o_proj.weight", "blk.1.attn_output.weight",
          "model.layers.2.mlp.gate_proj.weight", "blk.2.ffn_gate.weight",
          "model.layers.2.mlp.down_proj.weight", "blk.2.ffn_down.weight",
          "model.layers.2.input_layernorm.weight", "blk.2.attn_norm.weight");

  private static final Map<String, String> META_NAMES =
      Map.of(
          "model.embed_tokens.weight", "tok_embeddings.weight",
          "model.norm.weight", "norm.weight",
          "model.layers.1.self_attn.v_proj.weight", "layers.1.attention.wv.weight",
          "model.layers.1.self_attn.o_proj.weight", "layers.1.attention.wo.weight",
          "model.layers.2.mlp.gate_proj.weight", "layers.2.feed_forward.w1.weight",
          "model.layers.2.mlp.down_proj.weight", "layers.2.feed_forward.w2.weight",
          "model.layers.2.input_layernorm.weight", "layers.2.attention_norm.weight");

  @ParameterizedTest
  @ValueSource(strings = {"pytorch_model.bin", "pytorch_model.legacy.bin"})
  void huggingFaceFormsHaveTheSameValues(String name) {
    try (var expected = Checkpoint.open(TestData.shared(FORMATS + "model-f32.safetensors"));
        var found = Checkpoint.open(TestData.shared(FORMATS + name))) {
      assertEquals(Format.PTH, found.format());
      assertEquals(expected.tensors().keySet(), found.tensors().keySet());
      expected
          .tensors()
          .forEach(
              (key, tensor) -> {
                assertEquals(tensor.shape(), found.tensor(key).shape(), key);
                assertEquals(DType.Plain.F32, found.tensor(key).dtype(), key);
                assertArrayEquals(tensor.toFloats(), found.tensor(key).toFloats(), key);
              });
    }
  }

  @ParameterizedTest
  @CsvSource({"model-f32.gguf,GGUF", "consolidated.00.pth,PTH"})
  void formsWithOtherNamesHaveTheSameValues(String name, Format format) {
    var names = format == Format.GGUF ? GGUF_NAMES : META_NAMES;
    try (var expected = Checkpoint.open(TestData.shared(FORMATS + "model-f32.safetensors"));
        var found = Checkpoint.open(TestData.shared(FORMATS + name))) {
      assertEquals(format, found.format());
      names.forEach(
          (key, other) -> {
            assertEquals(expected.tensor(key).shape(), found.tensor(other).shape(), key);
            assertArrayEquals(expected.tensor(key).toFloats(), found.tensor(other).toFloats(), key);
          });
    }
  }

  @ParameterizedTest
  @CsvSource({
    "model-f16.safetensors,F16",
    "model-bf16.safetensors,BF16",
    "model-f16.gguf,F16",
    "model-q8_0.gguf,Q8_0",
    "model-q4_0.gguf,Q4_0",
    "model-q5_1.gguf,Q5_1"
  })
  void weightsHaveTheTypeThatTheFileIsNamedFor(String name, String dtype) {
    try (var found = Checkpoint.open(TestData.shared(FORMATS + name))) {
      String key =
          found.format() == Format.GGUF
              ? "blk.0.attn_q.weight"
              : "model.layers.0.self_attn.q_proj.weight";
      assertEquals(dtype, found.tensor(key).dtype().name());
      assertEquals(Shape.of(32, 32), found.tensor(key).shape());
    }
  }

  @Test
  void ggufMetadataAreTyped() {
    try (var gguf = Checkpoint.open(TestData.shared(FORMATS + "model-f32.gguf"))) {
      var metadata = gguf.metadata();
      assertEquals("llama", metadata.get("general.architecture"));
      assertEquals(3L, metadata.get("llama.block_count"));
      assertEquals(1e-5f, metadata.get("llama.attention.layer_norm_rms_epsilon"));
      var tokens = (List<?>) metadata.get("tokenizer.ggml.tokens");
      assertEquals(420, tokens.size());
      assertEquals("\u2581On", tokens.get(tokens.indexOf("\u2581On")));
      assertEquals(2L, ((List<?>) metadata.get("tokenizer.ggml.token_type")).get(0));
      assertEquals(-160f, ((List<?>) metadata.get("tokenizer.ggml.scores")).getLast());
      assertEquals("GGUF v3", gguf.parts().getFirst().version());
    }
  }

  @ParameterizedTest
  @EnumSource(LoadMode.class)
  void bothModesGiveTheSameTensors(LoadMode mode) {
    var path = TestData.pretrained("tiny-llm");
    try (var expected = Checkpoint.open(path);
        var found = Checkpoint.open(path, mode)) {
      assertFalse(expected.tensors().isEmpty());
      assertEquals(expected.tensors().keySet(), found.tensors().keySet());
      expected
          .tensors()
          .forEach((k, t) -> assertEquals(-1, t.segment().mismatch(found.tensor(k).segment()), k));
    }
  }

  @ParameterizedTest
  @EnumSource(LoadMode.class)
  void aMappingShowsWhatBecomesOfTheFileAndACopyDoesNot(LoadMode mode, @TempDir Path folder)
      throws IOException {
    var original = TestData.pretrained("tiny-llm").resolve("model.safetensors");
    var path = Files.copy(original, folder.resolve("model.safetensors"));
    try (var found = Checkpoint.open(path, mode);
        var file = FileChannel.open(path, StandardOpenOption.WRITE)) {
      var last = List.copyOf(found.tensors().values()).getLast().segment();
      byte before = last.get(ValueLayout.JAVA_BYTE, last.byteSize() - 1);
      file.write(ByteBuffer.wrap(new byte[] {(byte) ~before}), file.size() - 1);
      byte expected = mode == LoadMode.MAP ? (byte) ~before : before;
      assertEquals(expected, last.get(ValueLayout.JAVA_BYTE, last.byteSize() - 1));
    }
  }

  @Test
  void theFixturesHaveTheirDocumentedValues() {
    try (var ck = Checkpoint.open(TestData.shared("format-fixtures/fortran_tensor_3d.pth"))) {
      var t = ck.tensor("tensor_fortran");
      assertEquals(Shape.of(2, 3, 4), t.shape());
      assertEquals(DType.Plain.I64, t.dtype());
      assertFalse(t.isContiguous());
      assertArrayEquals(count(1, 24), t.toFloats());
    }
    for (String name : List.of("test.pt", "test_with_key.pt")) {
      try (var ck = Checkpoint.open(TestData.shared("format-fixtures/" + name))) {
        assertEquals(List.of("test"), List.copyOf(ck.tensors().keySet()));
        assertEquals(Shape.of(2, 4), ck.tensor("test").shape());
      }
    }
    fixture("tensor-1d-int32.safetensors", DType.Plain.I32);
    fixture("tensor-2d-float64.safetensors", DType.Plain.F64);
    fixture("tensor-3d-float32.safetensors", DType.Plain.F32);
    fixture("tensor-4d-float32.safetensors", DType.Plain.F32);
  }

  private static void fixture(String name, DType dtype) {
    try (var ck = Checkpoint.open(TestData.shared("format-fixtures/" + name))) {
      var t = ck.tensors().values().iterator().next();
      assertEquals(dtype, t.dtype());
      assertEquals(name.charAt(7) - '0', t.shape().rank());
    }
  }

  @Test
  void taesdsFilesLoad() {
    try (var ck = Checkpoint.open(TestData.shared("taesd/taef2_decoder.pth"))) {
      assertEquals(DType.Plain.F16, ck.tensor("1.weight").dtype());
      assertEquals(Shape.of(64, 32, 3, 3), ck.tensor("1.weight").shape());
      assertTrue(ck.tensors().size() > 50);
    }
  }

  private static float[] count(int from, int to) {
    var floats = new float[to - from + 1];
    IntStream.rangeClosed(from, to).forEach(i -> floats[i - from] = i);
    return floats;
  }
}
