package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.tests.TestData;
import io.gatun.tools.Main;
import io.gatun.tools.console.Stdio;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun embed` and `gatun rank` as a user types them.
class EncoderCommandsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path MODELS = TestData.ROOT.resolve("tests/src/test/resources/encoder");

  @TempDir private Path dir;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @BeforeEach
  void empty() {
    out.reset();
    err.reset();
  }

  private int run(String in, String... args) {
    out.reset();
    err.reset();
    var bytes = new ByteArrayInputStream(in.getBytes(StandardCharsets.UTF_8));
    return Main.run(Stdio.of(bytes, out, err), args);
  }

  private String out() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private String err() {
    return err.toString(StandardCharsets.UTF_8);
  }

  @Test
  void embed() throws Exception {
    String model = MODELS.resolve("nomic-embed").toString();
    var texts = JSON.readTree(MODELS.resolve("nomic-embed/golden.json").toFile()).get("texts");
    try (var golden = Checkpoint.open(MODELS.resolve("nomic-embed/golden.safetensors"))) {
      float[] expected = golden.tensor("embedding").get(0).toFloats();
      String text = texts.get(0).asText();
      assertEquals(0, run("", "embed", "-m", model, "-p", text, "--dtype", "f32", "--json"), err());
      var json = JSON.readTree(out());
      assertEquals(32, json.get("dimension").asInt());
      for (int i = 0; i < 32; i++) {
        assertEquals(expected[i], json.at("/embeddings/0/" + i).floatValue(), 2e-5f);
      }
      // The prompt by its name, the text on standard input.
      String bare = text.replace("search_query: ", "");
      assertEquals(
          0,
          run(bare, "embed", "-m", model, "--prompt-name", "search_query", "--dtype", "f32"),
          err());
      assertEquals(expected[0], Float.parseFloat(out().split(" ", 2)[0]), 2e-5f);
      Path lines = Files.writeString(dir.resolve("lines.txt"), text + "\n" + bare + "\n");
      Path npy = dir.resolve("vectors.npy");
      assertEquals(
          0,
          run(
              "",
              "embed",
              "-m",
              model,
              "--file",
              lines.toString(),
              "--dtype",
              "f32",
              "--npy",
              npy.toString()),
          err());
      byte[] bytes = Files.readAllBytes(npy);
      assertEquals(128 + 4 * 2 * 32, bytes.length);
      assertTrue(
          new String(bytes, 10, 118, StandardCharsets.US_ASCII).contains("'shape': (2, 32)"));
      var first = new float[32];
      ByteBuffer.wrap(bytes, 128, 128).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(first);
      assertArrayEquals(expected, first, 2e-5f);
    }
  }

  /// Lines come and go without all being held, and a pipe gets the same matrix as a file.
  @Test
  void manyLines() throws Exception {
    String model = MODELS.resolve("nomic-embed").toString();
    String lines = "rain\nsnow and rain\n\n".repeat(1000);
    assertEquals(0, run(lines, "embed", "-m", model, "--dtype", "f32"), err());
    var rows = out().lines().toList();
    assertEquals(3000, rows.size());
    for (int i = 3; i < 3000; i++) {
      assertEquals(rows.get(i % 3), rows.get(i), "line " + i);
    }
    Path npy = dir.resolve("many.npy");
    assertEquals(
        0, run(lines, "embed", "-m", model, "--dtype", "f32", "--npy", npy.toString()), err());
    assertEquals(0, run(lines, "embed", "-m", model, "--dtype", "f32", "--npy", "-"), err());
    assertEquals(128 + 4 * 3000 * 32, out.size());
    assertArrayEquals(Files.readAllBytes(npy), out.toByteArray());
    String tooLong = "rain\n".repeat(2100) + "sea ".repeat(400);
    assertEquals(2, run(tooLong, "embed", "-m", model));
    assertTrue(err().contains("text 2101 has "), err());
  }

  @Test
  void rank() throws Exception {
    String model = MODELS.resolve("bert-reranker").toString();
    JsonNode golden = JSON.readTree(MODELS.resolve("bert-reranker/golden.json").toFile());
    String query = golden.at("/pairs/0/0").asText();
    String worse = golden.at("/pairs/0/1").asText();
    String better = golden.at("/pairs/1/1").asText();
    assertEquals(
        0,
        run(
            worse + "\n" + better + "\n",
            "rank",
            "-m",
            model,
            "--query",
            query,
            "--dtype",
            "f32",
            "--json"),
        err());
    var results = JSON.readTree(out()).get("results");
    assertEquals(better, results.get(0).get("text").asText());
    assertEquals(1, results.get(0).get("index").asInt());
    assertEquals(
        golden.at("/scores/1").floatValue(), results.get(0).get("score").floatValue(), 1e-5f);
    assertEquals(0, run("", "rank", "-m", model, "--query", query, "-p", worse), err());
    assertTrue(out().endsWith("  " + worse + System.lineSeparator()), out());
  }

  @Test
  void mistakes() {
    String model = MODELS.resolve("nomic-embed").toString();
    String words = "sea ".repeat(400);
    assertEquals(2, run("", "embed", "-m", model, "-p", words));
    assertTrue(err().contains("--truncate"), err());
    assertEquals(0, run("", "embed", "-m", model, "-p", words, "--truncate"));
    assertTrue(err().contains("its end was cut off"), err());
    assertEquals(2, run("", "embed", "-m", model));
    assertTrue(err().contains("No text is given"), err());
    assertEquals(2, run("", "embed", "-m", model, "-p", "x", "--prompt-name", "nobody"));
    assertTrue(err().contains("search_document"), err());
    assertEquals(2, run("", "rank", "-m", model, "--query", "x", "-p", "y"));
    assertTrue(err().contains("gatun embed"), err());
    String decoder = TestData.pretrained("tiny-llm").toString();
    assertEquals(2, run("", "embed", "-m", decoder, "-p", "x"));
    assertTrue(err().contains("--pooling"), err());
  }
}
