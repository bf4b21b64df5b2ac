package io.gatun.tests.loaders;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.loaders.Checkpoint;
import io.gatun.tensor.DType;
import io.gatun.tests.TestData;
import org.junit.jupiter.api.Test;

/// What the test data's SOURCE.txt files say of themselves.
class CheckpointTest {
  @Test
  void allContainersOfStories260kHaveTheSameValues() {
    try (var safetensors =
            Checkpoint.open(TestData.shared("llm-stories260K/derived/model-f32.safetensors"));
        var gguf =
            Checkpoint.open(TestData.shared("llm-stories260K/derived/stories260K-f32.gguf"))) {
      var expected = safetensors.tensor("model.embed_tokens.weight");
      var embedding = gguf.tensor("token_embd.weight");
      assertEquals(expected.shape(), embedding.shape());
      assertEquals(DType.Plain.F32, embedding.dtype());
      assertArrayEquals(expected.toFloats(), embedding.toFloats());
    }
  }
}
