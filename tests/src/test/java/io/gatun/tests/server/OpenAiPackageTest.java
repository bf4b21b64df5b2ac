package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.server.Server;
import io.gatun.tests.Processes;
import io.gatun.tests.Reciter;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The package `openai` of npm against a server: `tests/src/test/npm/client.mjs`.
class OpenAiPackageTest {
  private static final Path SOURCE = TestData.ROOT.resolve("tests/src/test/npm");
  private static final Path TARGET = TestData.ROOT.resolve("tests/target/npm");

  @TempDir private Path temp;

  /// A model that thinks, calls a function, and says what comes of it.
  private Path caller() {
    return Reciter.write(
        temp,
        "{{ messages[-1]['content'] }}",
        "Q",
        "<think>",
        "hmm",
        "</think>",
        "<tool_call>",
        "{\"name\": \"greet\", \"arguments\": {\"name\": \"Ann\", ",
        "\"age\": 4}}",
        "</tool_call>",
        "R",
        "She smiles.",
        "<eos>");
  }

  @Test
  void theClientGetsWhatItExpects() throws Exception {
    install();
    try (var server =
        Server.start(
            o ->
                o.model(TestData.pretrained("tiny-llm"))
                    .model(TestData.pretrained("tiny-sd"))
                    .model("caller", caller())
                    .model(
                        "minilm-l6",
                        TestData.complete(
                            TestData.ROOT.resolve("tests/src/test/resources/encoder/minilm-l6")))
                    .threads(2)
                    .port(0))) {
      var result =
          Processes.run(
              new ProcessBuilder("node", "client.mjs", server.uri().toString())
                  .directory(TARGET.toFile()));
      assertEquals(0, result.code(), result.out() + result.err());
    }
  }

  private static void install() throws Exception {
    assumeTrue(runs("node") && runs("npm"), "no node and npm on the PATH (apt install npm)");
    Files.createDirectories(TARGET);
    for (String name : new String[] {"package.json", "package-lock.json", "client.mjs"}) {
      Files.copy(SOURCE.resolve(name), TARGET.resolve(name), StandardCopyOption.REPLACE_EXISTING);
    }
    String lock = Files.readString(SOURCE.resolve("package-lock.json"));
    Path installed = TARGET.resolve("node_modules/.installed");
    if (Files.exists(installed) && Files.readString(installed).equals(lock)) {
      return;
    }
    var npm =
        Processes.run(
            new ProcessBuilder("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
                .directory(TARGET.toFile()));
    assumeTrue(npm.code() == 0, () -> "npm cannot install the package: " + npm.err());
    Files.writeString(installed, lock);
  }

  private static boolean runs(String program) throws InterruptedException {
    try {
      return Processes.run(new ProcessBuilder(program, "--version")).code() == 0;
    } catch (IOException e) {
      return false;
    }
  }
}
