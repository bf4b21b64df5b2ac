package io.gatun.tests.tools;

import static io.gatun.tests.tools.Launcher.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.TestData;
import org.junit.jupiter.api.Test;

/// `gatun bench embed` as a user types it.
class BenchEmbedTest {
  @Test
  void smallEncoder() throws Exception {
    String model = TestData.ROOT.resolve("tests/src/test/resources/encoder/nomic-embed").toString();
    var result =
        InProcess.gatun(
            "bench",
            "embed",
            "-m",
            model,
            "--dtype",
            "f32",
            "--texts",
            "3",
            "--warm-up",
            "1",
            "--json");
    assertEquals(0, result.code(), result.err());
    JsonNode json = result.json();
    assertEquals("F32", json.get("dtype").asText());
    assertEquals(3, json.get("texts").asInt());
    for (String texts : new String[] {"short", "usual"}) {
      double rate = json.get(texts + "_texts_per_second").asDouble();
      double tokens = json.get(texts + "_tokens_per_text").asDouble();
      assertTrue(rate > 0, json.toString());
      assertEquals(rate * tokens, json.get(texts + "_tokens_per_second").asDouble(), rate / 1000);
      double share = json.get(texts + "_share_of_gemm").asDouble();
      assertTrue(share > 0, json.toString()); // of a product that others may have slowed down
    }
  }

  @Test
  void refusesWhatItCannotMeasure() throws Exception {
    assertRefused(
        InProcess.gatun("bench", "embed", "--shape", "bge-tiny"), "bge-tiny", "bge-small");
    assertRefused(InProcess.gatun("bench", "embed", "--texts", "0"), "--texts");
    assertRefused(InProcess.gatun("bench", "embed", "-m", "x", "--shape", "bge-small"), "--shape");
  }
}
