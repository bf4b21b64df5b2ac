package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.GgufWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;
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
  void anEmbedder() throws Exception {
    String model = encoder("minilm-l6").toString();
    String text = gatun("inspect", model).out();
    assertTrue(
        text.matches(
            """
            (?s)family +bert, 2 layers of 32
            parameters .*
            kind +embedder: gatun embed
            vectors +32 numbers, normalized
            pooling +mean of all tokens' states
            texts +112 tokens at most
            runs here +yes
            .*\
            """),
        text);
    JsonNode json = gatun("inspect", "--json", encoder("nomic-embed").toString()).json();
    JsonNode embedder = json.get("summary").get("encoder");
    assertEquals("embedder", embedder.get("kind").asText());
    assertEquals("mean", embedder.get("pooling").asText());
    assertEquals("search_query: ", embedder.get("prompts").get("search_query").asText());
    assertTrue(embedder.get("default_prompt").isNull());
    // A language model that makes vectors, behind two more layers.
    text = gatun("inspect", encoder("embeddinggemma").toString()).out();
    assertTrue(
        text.matches("(?s)family +gemma3_text, 7 layers of 36\n.*vectors +36 numbers.*"), text);
    assertTrue(text.matches("(?s).*\nprompts +query .*\nruns here +yes\n.*"), text);
  }

  @Test
  void aReranker() throws Exception {
    String text = gatun("inspect", encoder("bge-reranker").toString()).out();
    assertTrue(
        text.matches(
            "(?s).*\nkind +reranker: gatun rank\npairs +128 tokens at most\nruns here +yes.*"),
        text);
  }

  /// What asks for what is not there is listed all the same, and said to be what it is.
  @Test
  void anEmbedderThatDoesNotRun(@TempDir Path temp) throws Exception {
    Path folder = encoder("minilm-l6");
    Files.copy(folder.resolve("model.safetensors"), temp.resolve("model.safetensors"));
    String config = Files.readString(folder.resolve("config.json"));
    Files.writeString(
        temp.resolve("config.json"), config.replace("\"absolute\"", "\"relative_key\""));
    String text = gatun("inspect", temp.toString()).out();
    assertTrue(text.startsWith("family      bert\n"), text);
    assertTrue(text.contains("\nkind        embedder: gatun embed\n"), text);
    assertTrue(text.matches("(?s).*\nruns here   no: .*relative_key.*"), text);
    Files.writeString(temp.resolve("config.json"), config);
    text = gatun("inspect", temp.toString()).out();
    assertTrue(text.matches("(?s).*\nruns here   no: .*no tokenizer.*"), text);
    Files.copy(folder.resolve("vocab.txt"), temp.resolve("vocab.txt"));
    text = gatun("inspect", temp.toString()).out();
    assertTrue(text.matches("(?s).*\npooling     not said: choose --pooling\n.*"), text);
  }

  private static Path encoder(String name) {
    return TestData.complete(
        TestData.ROOT.resolve("tests/src/test/resources/encoder").resolve(name));
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

  /// Each of GGUF's types, and one that nobody knows, side by side.
  @Test
  void everyTypeOfGguf(@TempDir Path temp) throws Exception {
    Path file = temp.resolve("all.gguf");
    var types =
        Stream.of(DType.Block.values())
            .filter(t -> t != DType.Block.MXFP4_PAIRS && t != DType.Block.CODE4)
            .toList();
    var writer = new GgufWriter().metadata("general.architecture", "llama");
    try (var arena = Arena.ofConfined()) {
      for (var type : types) {
        writer.add(type.name().toLowerCase(Locale.ROOT), Tensor.allocate(arena, type, 2, 256));
      }
      writer.add("unknown", Tensor.allocate(arena, DType.Block.IQ4_NL, 2, 256));
      writer.write(file);
    }
    // The type's number, behind the name and two dimensions.
    byte[] bytes = Files.readAllBytes(file);
    int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("unknown") + 7 + 4 + 16;
    assertEquals(20, bytes[at]);
    bytes[at] = 99;
    Files.write(file, bytes);
    String text = gatun("inspect", file.toString()).out();
    for (var type : types) {
      assertTrue(text.matches("(?si).*\n" + type.name() + " +" + type.name() + " .*"), text);
    }
    assertTrue(text.contains("99"), text);
  }

  /// Quantized models run, and each stored tensor is listed.
  @Test
  void quantizedModels() throws Exception {
    Path models = TestData.ROOT.resolve("tests/src/test/resources/testdata/quant-formats/models");
    try (var folders = Files.list(models)) {
      for (Path folder : folders.filter(Files::isDirectory).toList()) {
        String text = gatun("inspect", folder.toString()).out();
        assertTrue(text.contains("\nruns here   yes"), text);
        try (var stored = Checkpoint.open(folder.resolve("model.safetensors"))) {
          stored.tensors().keySet().forEach(name -> assertTrue(text.contains(name), name));
        }
      }
    }
  }

  /// Where the configuration is of a kind that nobody knows, the tensors are listed all the same.
  @Test
  void aKindOfQuantizationThatIsNotKnown(@TempDir Path temp) throws Exception {
    Path tiny = TestData.pretrained("tiny-llm");
    for (String file : new String[] {"config.json", "model.safetensors"}) {
      Files.copy(tiny.resolve(file), temp.resolve(file));
    }
    Path config = temp.resolve("config.json");
    String section = "{\"quantization_config\": {\"quant_method\": \"quip\"}, ";
    Files.writeString(config, Files.readString(config).replaceFirst("\\{", section));
    String text = gatun("inspect", temp.toString()).out();
    assertTrue(text.contains("\nruns here   no: ") && text.contains("quip"), text);
    assertTrue(text.contains("embed_tokens"), text);
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
