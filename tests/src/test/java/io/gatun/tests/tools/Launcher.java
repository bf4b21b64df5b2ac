package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Starts tools/gatun as a user does, on what this build has packaged.
///
/// @param temp where it runs
/// @param environment variables that are set beside the test's own
/// @param input what it reads from standard input
record Launcher(Path temp, Map<String, String> environment, String input) {
  /// A launcher in a folder of the test's own; where nothing is packaged the test is skipped.
  static Launcher in(Path temp) {
    assumeTrue(
        Files.exists(TestData.ROOT.resolve("tools/target/built")),
        "nothing is packaged: run mvn verify, or mvn package");
    assumeTrue(Files.exists(Path.of("/bin/sh")), "no POSIX shell");
    return new Launcher(temp, Map.of(), "");
  }

  /// The same with an environment variable.
  Launcher with(String name, String value) {
    return new Launcher(temp, Map.of(name, value), input);
  }

  /// The same with something to read.
  Launcher reading(String text) {
    return new Launcher(temp, environment, text);
  }

  Result gatun(String... args) throws Exception {
    var command = new ArrayList<String>(args.length + 1);
    command.add(TestData.ROOT.resolve("tools/gatun").toString());
    command.addAll(List.of(args));
    return run(temp, command);
  }

  Result run(Path directory, List<String> command) throws Exception {
    var builder = new ProcessBuilder(command).directory(directory.toFile());
    // The build that these tests are part of must not be started again by them.
    builder.environment().put("GATUN_BUILD", "never");
    builder.environment().put("GATUN_JAVA_HOME", System.getProperty("java.home"));
    // The user's own cache is not the tests' to fill, nor the display.
    Path cache = TestData.ROOT.resolve("tests/target/cache");
    builder
        .environment()
        .put(
            "GATUN_JAVA_OPTS",
            "-Dgatun.cache=%s -Djava.awt.headless=true -Djava.io.tmpdir=%s".formatted(cache, temp));
    builder.environment().putAll(environment);
    return Processes.run(builder, input);
  }

  /// A mistake of the user's: exit code 2, these words on stderr, and no stack trace.
  static void assertRefused(Result result, String... words) {
    assertEquals(2, result.code(), result.err());
    assertEquals("", result.out());
    assertFalse(result.err().contains("\tat "), result.err());
    assertFalse(result.err().contains("internal error"), result.err());
    for (String word : words) {
      assertTrue(result.err().contains(word), result.err());
    }
  }
}
