package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.tests.Processes.Result;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun inspect` and `gatun doctor` begin with what people want to know.
class InspectTest {
  private static Result gatun(String... args) {
    Result result = InProcess.gatun(args);
    assertEquals(0, result.code(), result.err());
    return result;
  }

  @Test
  void aLanguageModel() throws Exception {
    String text = gatun("inspect", "-m", "tiny-llm").out();
    assertTrue(
        text.matches(
            """
            (?s)family +llama, 6 layers of 128
            parameters +1\\.24 M
            weights +BF16, 16\\.00 bits each
            context +512 tokens
            runs here +yes
            memory +2\\.36 MiB of weights, .*\
            """),
        text);
    JsonNode json = gatun("inspect", "--json", "tiny-llm").json().get("summary");
    assertEquals(512, json.get("context").asInt());
    assertTrue(json.get("runs").asBoolean());
  }

  @Test
  void aSegmentAnythingModel() {
    assertTrue(gatun("inspect", "tiny-sam").out().startsWith("family      Segment Anything, "));
  }

  @Test
  void aPipelineIsItsParts() throws Exception {
    String text = gatun("inspect", "tiny-sd").out();
    assertTrue(text.startsWith("family  StableDiffusionPipeline\n"), text);
    for (String part : new String[] {"text_encoder", "unet", "vae"}) {
      assertTrue(text.matches("(?s).*\n" + part + " +[BF]+\\d+ .*gatun inspect .*"), text);
    }
    JsonNode parts = gatun("inspect", "--json", "tiny-sd").json().get("parts");
    assertEquals(3, parts.size(), parts.toString());
  }

  /// Types that no kernel reads, in files that are no model.
  @Test
  void whatDoesNotRun(@TempDir Path temp) throws Exception {
    for (String type : new String[] {"F8_E4M3", "U8", "BOOL", "Q9"}) {
      String header =
          "{\"a\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,1]}}".formatted(type);
      var file = ByteBuffer.allocate(9 + header.length()).order(ByteOrder.LITTLE_ENDIAN);
      file.putLong(header.length()).put(header.getBytes(StandardCharsets.UTF_8));
      Path path = Files.write(temp.resolve(type + ".safetensors"), file.array());
      String text = gatun("inspect", path.toString()).out();
      assertTrue(text.startsWith("family      unknown\n"), text);
      assertTrue(text.contains("\nruns here   no: "), text);
      assertTrue(text.contains("\na       " + type), text);
      assertEquals(
          type.equals("Q9"), text.contains("\nneeds       the type Q9 (1 tensors)\n"), text);
    }
  }

  @Test
  void doctorSpeaksInWords() throws Exception {
    String text = gatun("doctor").out();
    assertTrue(text.contains("heap limit"), text);
    assertFalse(text.contains("heapLimit") || text.contains("heap_limit"), text);
    assertTrue(text.contains("free on disk"), text);
    JsonNode json = gatun("doctor", "--json").json();
    assertTrue(json.at("/cpu/load").asDouble(-1) >= 0, json.toString());
    assertTrue(json.at("/cache/free_on_disk").asLong() > 0, json.toString());
    assertTrue(json.get("gatun").has("version"), json.toString());
  }
}
