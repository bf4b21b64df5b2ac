package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.TestData;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `gatun bench diffusion` on tiny pipelines: a step of each kind of network.
class BenchDiffusionTest {
  @ParameterizedTest
  @CsvSource({
    "sd15_lcm, unet",
    "pixart_sigma, transformer",
    "sd35, transformer",
    "flux_dev, transformer",
    "flux2_klein, transformer",
    "z_image, transformer"
  })
  void measuresTheNetwork(String model, String part) throws Exception {
    String path = TestData.shared("diffusion-random/" + model).toString();
    var result =
        InProcess.gatun(
            "bench",
            "diffusion",
            "--model",
            path,
            "--size",
            "64",
            "--runs",
            "1",
            "--dtype",
            "f32",
            "--json");
    assertEquals(0, result.code(), result.err());
    JsonNode json = result.json();
    assertEquals(64, json.get("size").asInt());
    assertTrue(json.get(part + "_step_seconds").asDouble() > 0, json.toString());
    assertTrue(json.get(part + "_step_flop").asLong() > 100_000, json.toString());
    assertTrue(json.get("vae_decode_flop").asLong() > 100_000, json.toString());
    assertTrue(json.get("anonymous_bytes_after_" + part).asLong() > 0, json.toString());
    assertEquals(part.equals("unet"), json.has("text_encode_seconds"), json.toString());
  }
}
