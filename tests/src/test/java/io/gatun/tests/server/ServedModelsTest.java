package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// How the models that are served are loaded.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ServedModelsTest {
  private static final String TEXT = "ROMEO: But soft, what light through yonder window breaks?";
  private static final Path TINY = TestData.pretrained("tiny-llm");

  private static double likelihood(Llm llm) {
    int count = llm.tokenizer().encode(TEXT, true, false).length;
    return -llm.perplexity(TEXT).nll() * (count - 1);
  }

  @Test
  void anAdaptationIsAddedToTheModelOfAName() {
    Path adapter = TestData.shared("peft/attention");
    try (var server =
            new TestServer(o -> o.model("plain", TINY).model("b", TINY).lora("b", adapter, 1));
        var plain = Llm.load(TINY, o -> o.threads(2));
        var adapted = Llm.load(TINY, o -> o.threads(2).lora(adapter, 1))) {
      assertTrue(Math.abs(likelihood(plain) - likelihood(adapted)) > 0.5);
      assertEquals(likelihood(plain), served(server, "plain"), 0.02);
      assertEquals(likelihood(adapted), served(server, "b"), 0.02);
    }
    var unknown =
        assertThrows(
            CheckpointException.class,
            () -> new TestServer(o -> o.model("a", TINY).lora("b", adapter, 1)).close());
    assertTrue(unknown.getMessage().contains("there is no model \"b\""), unknown.getMessage());
    Path sam = TestData.pretrained("tiny-sam");
    var other =
        assertThrows(
            CheckpointException.class,
            () -> new TestServer(o -> o.model("sam", sam).lora("sam", adapter, 1)).close());
    assertTrue(other.getMessage().contains("\"sam\" is for segmentation"), other.getMessage());
  }

  private static double served(TestServer server, String model) {
    JsonNode answer =
        server.ask(
            "/v1/completions",
            "{'model': '%s', 'prompt': '%s', 'echo': true, 'logprobs': 1, 'max_tokens': 0}"
                .formatted(model, TEXT));
    double sum = 0;
    for (JsonNode logprob : answer.at("/choices/0/logprobs/token_logprobs")) {
      sum += logprob.asDouble();
    }
    return sum;
  }

  @Test
  void aModelThatDoesNotFitIsRefusedWithWhatWould() {
    try (var server = new TestServer(o -> o.model(TINY))) {
      System.setProperty("gatun.memory", String.valueOf(100 << 20));
      try {
        String told =
            assertThrows(CheckpointException.class, () -> server.server().preload()).getMessage();
        assertTrue(told.contains("does not fit into memory"), told);
        assertFalse(told.contains("--force"), told);
        var answer = server.post("/v1/completions", "{\"prompt\": \"A\"}");
        assertEquals(503, answer.statusCode(), answer.body());
        assertTrue(answer.body().contains("no_memory"), answer.body());
      } finally {
        System.clearProperty("gatun.memory");
      }
      assertEquals(200, server.post("/v1/completions", "{\"prompt\": \"A\"}").statusCode());
    }
  }
}
