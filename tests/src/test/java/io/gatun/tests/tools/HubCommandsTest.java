package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.NamedModels;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import io.gatun.tests.hub.FakeHub;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Models by name, from the command line.
class HubCommandsTest {
  private final FakeHub hub = new FakeHub();
  @TempDir private Path home;

  /// What the environment says for users; here no other test may be in the way.
  private Map<String, String> settings() {
    return Map.of(
        "HF_HOME", home.toString(), "HF_ENDPOINT", hub.endpoint().toString(), "HF_TOKEN", "hf_t");
  }

  @BeforeEach
  void set() {
    settings().forEach(System::setProperty);
  }

  @AfterEach
  void clear() {
    settings().keySet().forEach(System::clearProperty);
    hub.close();
  }

  private static void commit(FakeHub hub, String repository, Path folder) throws IOException {
    var files = new HashMap<String, byte[]>();
    try (var all = Files.walk(folder)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        files.put(folder.relativize(file).toString(), Files.readAllBytes(file));
      }
    }
    hub.commit(repository, files);
  }

  private static Result done(Result result) {
    assertEquals(0, result.code(), result.err());
    return result;
  }

  @Test
  void aNameServesWhereverAPathDoes() throws IOException {
    commit(hub, "org/tiny", TestData.pretrained("tiny-llm"));
    var byPath =
        done(
            InProcess.gatun(
                "generate", "-m", "tiny-llm", "-p", "ROMEO:", "-n", "5", "--temp", "0"));
    var byName =
        done(
            InProcess.gatun(
                "generate", "-m", "org/tiny", "-p", "ROMEO:", "-n", "5", "--temp", "0"));
    assertEquals(byPath.out(), byName.out());
    assertTrue(byName.err().contains("fetching org/tiny: "), byName.err());
    assertFalse(byName.err().contains("\r"), byName.err());

    hub.asked.clear();
    var again = done(InProcess.gatun("tokenize", "-m", "org/tiny", "-p", "ROMEO:"));
    assertFalse(again.err().contains("fetching"), again.err());
    assertTrue(
        done(InProcess.gatun("inspect", "hf:org/tiny")).out().contains("family"), "no summary");
    assertTrue(hub.asked.isEmpty());
  }

  @Test
  void pullSaysWhereTheModelLies() throws IOException {
    commit(hub, "org/tiny", TestData.pretrained("tiny-llm"));
    Path path = Path.of(done(InProcess.gatun("pull", "org/tiny")).out().strip());
    assertTrue(path.startsWith(home.resolve("hub/models--org--tiny/snapshots")), path.toString());
    assertTrue(Files.exists(path.resolve("model.safetensors")), path.toString());
  }

  @Test
  void everyOptionThatNamesWeightsTakesAName() throws IOException {
    String[] imagine = {"imagine", "a red circle", "-o", home.resolve("x.png").toString()};
    for (String option :
        List.of("--vae", "--lora", "--controlnet", "--embedding", "--network", "--text-encoder")) {
      var named = Stream.concat(Stream.of(imagine), Stream.of(option, "org/none"));
      assertMissing(named.toArray(String[]::new));
    }
    assertMissing("imagine", "a", "-o", "x.png", "--lora", "org/none@v1:a.safetensors:0.5");
    assertMissing("generate", "-m", "tiny-llm", "-p", "A", "--lora", "hf:org/none");
    assertMissing("tokenize", "--tokenizer", "org/none:tokenizer.json", "-p", "A");
    String picture = TestData.pretrained("tiny-sd/golden-pipeline.png").toString();
    assertMissing("upscale", picture, "-m", "org/none", "-o", home.resolve("y.png").toString());

    commit(hub, "org/tiny", TestData.pretrained("tiny-llm"));
    String tokenized =
        done(InProcess.gatun("tokenize", "--tokenizer", "org/tiny:tokenizer.json", "-p", "ROMEO"))
            .out();
    assertEquals(done(InProcess.gatun("tokenize", "-p", "ROMEO")).out(), tokenized);
    commit(hub, "org/vae", TestData.pretrained("tiny-sd").resolve("vae"));
    done(
        InProcess.gatun(
            Stream.concat(Stream.of(imagine), Stream.of("--steps", "1", "--vae", "org/vae"))
                .toArray(String[]::new)));
  }

  private void assertMissing(String... command) {
    var result = InProcess.gatun(command);
    assertEquals(2, result.code(), result.err());
    assertTrue(
        result.err().contains("org/none: there is no such model"),
        () -> String.join(" ", command) + ": " + result.err());
  }

  @Test
  void mistakesEndWithASentence() {
    var missing = InProcess.gatun("pull", "org/nothing");
    assertEquals(2, missing.code());
    assertTrue(missing.err().contains("there is no such model"), missing.err());
    var noName = InProcess.gatun("pull", "nothing");
    assertEquals(2, noName.code());
    assertTrue(noName.err().contains("need ORG/MODEL"), noName.err());
    // A path with an error in it is no name.
    var typo = InProcess.gatun("inspect", "org/model.gguf");
    assertEquals(2, typo.code());
    assertTrue(typo.err().contains("no such file"), typo.err());
    var folder = InProcess.gatun("inspect", "src/model");
    assertEquals(2, folder.code());
    assertTrue(folder.err().contains("hf:src/model"), folder.err());
    assertEquals(1, hub.asked.size());
  }

  @Test
  void whatIsThereIsListedAndRemoved() throws IOException {
    commit(hub, "org/tiny", TestData.pretrained("tiny-llm"));
    byte[] one = {'G', 'G', 'U', 'F', 1};
    byte[] two = {'G', 'G', 'U', 'F', 2};
    hub.commit(
        "org/quants", Map.of("m-Q4_K_M.gguf", one, "m-Q8_0.gguf", two, "mmproj-F16.gguf", one));
    done(InProcess.gatun("pull", "org/tiny"));
    done(InProcess.gatun("pull", "org/quants"));
    done(InProcess.gatun("pull", "org/quants:q8_0"));
    var unknown = InProcess.gatun("pull", "org/quants:Q5_K_M");
    assertEquals(2, unknown.code());
    assertTrue(unknown.err().contains("Q4_K_M (0.0 KB), Q8_0 (0.0 KB)"), unknown.err());

    var list = done(InProcess.gatun("list", "--json")).json();
    assertEquals(3, list.size());
    assertEquals("org/quants:Q4_K_M", list.get(0).get("name").asText());
    assertEquals("org/quants:Q8_0", list.get(1).get("name").asText());
    assertEquals("org/tiny", list.get(2).get("name").asText());
    assertTrue(list.get(2).get("whole").asBoolean());
    assertTrue(done(InProcess.gatun("list")).out().contains("org/quants:Q8_0"));

    done(InProcess.gatun("rm", "org/quants:Q4_K_M"));
    Path blobs = home.resolve("hub/models--org--quants/blobs");
    try (var files = Files.list(blobs)) {
      assertEquals(1, files.count());
    }
    done(InProcess.gatun("rm", "org/tiny"));
    list = done(InProcess.gatun("list", "--json")).json();
    assertEquals(1, list.size());
    assertEquals("org/quants:Q8_0", list.get(0).get("name").asText());
    var gone = InProcess.gatun("rm", "org/tiny");
    assertEquals(2, gone.code());
    assertTrue(gone.err().contains("org/quants:Q8_0"), gone.err());
  }

  @Test
  void modelsOfOllamaAreReadWhereTheyLie() throws IOException {
    Path store = home.resolve("ollama");
    System.setProperty("OLLAMA_MODELS", store.toString());
    try {
      String hash = "ab".repeat(32);
      Path blob = store.resolve("blobs/sha256-" + hash);
      Files.createDirectories(blob.getParent());
      Files.writeString(blob, "GGUF");
      Path manifest = store.resolve("manifests/registry.ollama.ai/library/tiny/latest");
      Files.createDirectories(manifest.getParent());
      String layers =
          """
          {"schemaVersion": 2, "layers": [
            {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:%s", "size": 4},
            {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:%s"}]}
          """;
      Files.writeString(manifest, layers.formatted(hash, hash));
      assertEquals(blob, NamedModels.find("ollama:tiny"));
      assertTrue(done(InProcess.gatun("list")).out().contains("ollama:tiny:latest"));

      var missing = InProcess.gatun("inspect", "ollama:other:7b");
      assertEquals(2, missing.code());
      assertTrue(missing.err().contains("ollama pull other:7b"), missing.err());
      Files.writeString(
          manifest, layers.replace("image.template", "image.adapter").formatted(hash, hash));
      var adapted = InProcess.gatun("inspect", "ollama:tiny");
      assertEquals(2, adapted.code());
      assertTrue(adapted.err().contains("adapter"), adapted.err());
      assertEquals(2, InProcess.gatun("inspect", "ollama:../../x").code());
      assertEquals(2, InProcess.gatun("rm", "ollama:tiny").code());
    } finally {
      System.clearProperty("OLLAMA_MODELS");
    }
  }
}
