package io.gatun.tests;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.tools.ToolProvider;

/// Starts processes that end in time, whatever happens.
public final class Processes {
  /// Far more than any of them takes, also on a busy machine.
  private static final int SECONDS = 300;

  /// The option that gives a JVM those of the kernels, which users have.
  public static final String KERNEL_OPTIONS = "@" + TestData.ROOT.resolve("tools/kernel.options");

  private Processes() {}

  /// What came of a process, or of a command in this one.
  public record Result(int code, String out, String err) {
    public JsonNode json() throws IOException {
      return new ObjectMapper().readTree(out);
    }
  }

  /// A JVM like this one that runs `main`; `flags` come before all others.
  public static ProcessBuilder java(Class<?> main, List<String> flags, String... args) {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(flags);
    command.add("--add-modules=jdk.incubator.vector");
    command.add("--enable-native-access=ALL-UNNAMED");
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(main.getName());
    command.addAll(List.of(args));
    return new ProcessBuilder(command);
  }

  /// Compiles as javac does with these options, in this JVM, whose compiler is warm.
  public static void compile(List<String> options, Path... sources) throws IOException {
    var compiler = ToolProvider.getSystemJavaCompiler();
    var said = new StringWriter();
    try (var files = compiler.getStandardFileManager(null, null, null)) {
      var units = files.getJavaFileObjects(sources);
      if (!compiler.getTask(said, files, null, options, null, units).call()) {
        throw new AssertionError(said);
      }
    }
  }

  /// Runs it to its end with nothing to read.
  ///
  /// @throws AssertionError if it does not end; it is killed then, with all that it started
  public static Result run(ProcessBuilder builder) throws IOException, InterruptedException {
    return run(builder, "");
  }

  /// Runs it to its end with something to read.
  ///
  /// @throws AssertionError if it does not end; it is killed then, with all that it started
  public static Result run(ProcessBuilder builder, String input)
      throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("gatun-process");
    Path in = Files.writeString(folder.resolve("in"), input);
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    try {
      Process process =
          builder
              .redirectInput(in.toFile())
              .redirectOutput(out.toFile())
              .redirectError(err.toFile())
              .start();
      if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().waitFor();
        throw new AssertionError(
            "%s runs for more than %d s; it has said: %s%s"
                .formatted(builder.command(), SECONDS, read(out), read(err)));
      }
      return new Result(process.exitValue(), read(out), read(err));
    } finally {
      for (Path file : List.of(in, out, err, folder)) {
        Files.deleteIfExists(file);
      }
    }
  }

  private static String read(Path file) throws IOException {
    // There is none where errors go to the output.
    return Files.exists(file) ? new String(Files.readAllBytes(file), StandardCharsets.UTF_8) : "";
  }
}
