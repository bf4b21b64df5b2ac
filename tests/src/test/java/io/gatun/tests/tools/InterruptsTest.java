package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Ctrl-C and `kill`, as a terminal and an operating system send them.
@Execution(ExecutionMode.CONCURRENT)
class InterruptsTest {
  @TempDir private static Path temp;

  /// What a command says that is sent a signal once it has said something that matches.
  private static Result stopped(String signal, String when, String line) throws Exception {
    // A shell's background jobs ignore Ctrl-C, so another process sends it; and where the tests
    // themselves are a background job, the command must be made to listen again.
    String script =
        """
        listening='env --default-signal=INT'
        $listening true 2>/dev/null || listening=
        (while ! grep -qs "$1" said; do sleep 0.1; done; kill -$2 $$) &
        exec $listening %s >said 2>&1\
        """
            .formatted(TestData.ROOT.resolve("tools/gatun") + " " + line);
    Files.deleteIfExists(temp.resolve("said"));
    Result result =
        Launcher.in(temp).run(temp, List.of("/bin/sh", "-c", script, "sh", when, signal));
    return new Result(result.code(), Files.readString(temp.resolve("said")), result.err());
  }

  @ParameterizedTest
  @CsvSource({"INT,130", "TERM,143"})
  void generateKeepsWhatIsWritten(String signal, int code) throws Exception {
    Result result =
        stopped(signal, "^I am", "generate -p ROMEO: -n 10000000 --context-shift --temp 0");
    assertEquals(code, result.code(), result.out());
    assertTrue(
        result.out().matches("(?s).*ROMEO:.+\\n.*gatun generate: stopped after \\d+ tokens\\n"),
        result.out());
  }

  @Test
  void perplexitySaysHowFarItCame() throws Exception {
    String text = "First Citizen: Before we proceed any further, hear me speak.\n".repeat(20_000);
    Path file = Files.writeString(temp.resolve("long.txt"), text);
    Result result = stopped("INT", "incubator", "perplexity -c 64 --stride 1 -f " + file);
    assertEquals(130, result.code(), result.out());
    assertTrue(result.out().endsWith("\n"), result.out());
  }
}
