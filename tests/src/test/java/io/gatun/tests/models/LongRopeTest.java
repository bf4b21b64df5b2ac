package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.gatun.models.Llm;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Which of LongRoPE's two sets of factors serves: that of the conversation's context.
class LongRopeTest {
  private static final Path PHI3 = TestData.ROOT.resolve("tests/src/test/resources/llm/phi3");

  /// In its configuration.
  private static final int ORIGINAL = 44;

  @TempDir private Path temp;

  private Path model() throws IOException {
    Files.copy(PHI3.resolve("config.json"), temp.resolve("config.json"));
    RandomWeights.write(PHI3.resolve("weights.json"), temp.resolve("model.safetensors"));
    return temp;
  }

  private static float[] logits(Path model, int context, int... ids) {
    Path tokenizer = TestData.pretrained("tiny-llm").resolve("tokenizer.json");
    try (var llm = Llm.load(model, o -> o.context(context).tokenizer(tokenizer).threads(1));
        var session = llm.newSession()) {
      return session.feed(ids).clone();
    }
  }

  /// A text that is asked for by itself may become as long as it is, whatever the model's context.
  @Test
  void theContextDecides() throws IOException {
    Path model = model();
    Path tokenizer = TestData.pretrained("tiny-llm").resolve("tokenizer.json");
    try (var llm = Llm.load(model, o -> o.tokenizer(tokenizer).threads(1))) {
      String text = "To be";
      int[] ids = llm.tokenizer().encode(text);
      float[] shortFactors = logits(model, ORIGINAL, ids);
      float[] longFactors = logits(model, ORIGINAL + 1, ids);
      assertFalse(Arrays.equals(shortFactors, longFactors));
      assertArrayEquals(shortFactors, llm.logits(text));
      try (var session = llm.newSession()) {
        assertArrayEquals(longFactors, session.feed(ids));
      }
    }
  }
}
