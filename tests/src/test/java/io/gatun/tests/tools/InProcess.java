package io.gatun.tests.tools;

import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import io.gatun.tools.Main;
import io.gatun.tools.console.Stdio;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Runs a command in this JVM, for what the launcher and a JVM of its own add nothing to. Relative
/// paths start where the tests run.
public final class InProcess {
  private static final String CACHE = "gatun.cache";

  static {
    System.setProperty("gatun.home", TestData.ROOT.toString()); // as the launcher does
  }

  private InProcess() {}

  public static Result gatun(String... args) {
    return reading("", args);
  }

  /// With something to read from standard input.
  static Result reading(String input, String... args) {
    var in = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8));
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    int code = gatun(Stdio.of(in, out, err), args);
    return new Result(
        code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  /// With a cache folder of the test's own.
  static Result cachedIn(Path cache, String... args) {
    String before = System.getProperty(CACHE);
    System.setProperty(CACHE, cache.toString());
    try {
      return gatun(args);
    } finally {
      if (before == null) {
        System.clearProperty(CACHE);
      } else {
        System.setProperty(CACHE, before);
      }
    }
  }

  /// With streams of the test's own.
  static int gatun(OutputStream out, OutputStream err, String... args) {
    return Main.run(out, err, args);
  }

  /// With streams of the test's own.
  static int gatun(Stdio stdio, String... args) {
    return Main.run(stdio, args);
  }
}
