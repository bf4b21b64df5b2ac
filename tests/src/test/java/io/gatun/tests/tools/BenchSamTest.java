package io.gatun.tests.tools;

import static io.gatun.tests.tools.Launcher.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun bench sam` as a user types it.
class BenchSamTest {
  @Test
  void tinySam() throws Exception {
    String model = TestData.pretrained("tiny-sam").toString();
    var result =
        InProcess.gatun(
            "bench", "sam", "--model", model, "--dtype", "f32", "--batch", "100", "--json");
    assertEquals(0, result.code(), result.err());
    JsonNode json = result.json();
    assertEquals("F32", json.get("dtype").asText());
    assertEquals(256, json.get("image_size").asInt());
    assertEquals(100, json.get("batch").asInt());
    // 256 tokens of 96 channels: patches; four blocks' linear layers; windows of 49 tokens, 9 of
    // them, and the whole image, each with relative positions in two blocks; neck.
    long linear = 256 * 96 * (768 + 4 * 12 * 96L);
    long windows = 2 * 9 * 49 * 96 * (2 * 49 + 14L);
    long global = 2 * 256 * 96 * (2 * 256 + 32L);
    long neck = 256 * (96 * 64 + 9 * 64 * 64L);
    assertEquals(2 * (linear + windows + global + neck), json.get("encode_flop").asLong());
    double share = json.get("encode_share_of_gemm").asDouble();
    assertTrue(share > 0, json.toString()); // of a product that others may have slowed down
    assertTrue(json.get("point_seconds").asDouble() > 0);
    assertTrue(json.get("points_32x32_seconds").asDouble() > json.get("point_seconds").asDouble());
  }

  @Test
  void processes(@TempDir Path temp) throws Exception {
    String model = TestData.pretrained("tiny-sam").toString();
    var result =
        Launcher.in(temp)
            .gatun("bench", "sam", "--processes", "2", "-m", model, "--batch=1024", "--json");
    assertEquals(0, result.code(), result.err());
    assertTrue(result.err().contains("process 2 of 2"), result.err());
    JsonNode json = result.json();
    assertEquals(2, json.get("processes").asInt());
    JsonNode share = json.at("/figures/encode_share_of_gemm");
    double a = share.at("/values/0").asDouble();
    double b = share.at("/values/1").asDouble();
    assertTrue(a > 0 && b > 0 && a != b, json.toString());
    assertEquals((a + b) / 2, share.get("median").asDouble(), 1e-9);
    assertEquals(Math.min(a, b), share.get("slowest").asDouble());
    assertEquals((a + b) / 2 / Math.min(a, b), share.get("ratio").asDouble(), 1e-9);
    JsonNode seconds = json.at("/figures/encode_seconds");
    assertEquals(
        Math.max(seconds.at("/values/0").asDouble(), seconds.at("/values/1").asDouble()),
        seconds.get("slowest").asDouble());
    assertTrue(seconds.get("ratio").asDouble() >= 1, json.toString());
  }

  @Test
  void refusesWhatItCannotMeasure() throws Exception {
    assertRefused(InProcess.gatun("bench", "sam", "--shape", "vit_x"), "vit_x", "vit_b");
    assertRefused(InProcess.gatun("bench", "sam", "--batch", "0"), "--batch");
    assertRefused(InProcess.gatun("bench", "sam", "--processes", "0"), "--processes");
    assertRefused(InProcess.gatun("bench", "sam", "--dtype", "f16"), "f16", "bf16");
    assertRefused(
        InProcess.gatun("bench", "sam", "--model", "x.pth", "--shape", "vit_b"), "--shape");
  }
}
