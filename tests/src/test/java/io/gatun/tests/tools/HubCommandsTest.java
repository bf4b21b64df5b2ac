package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import io.gatun.tests.hub.FakeHub;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
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
}
