package io.gatun.tools.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// A command line that is run in a process of its own, by the launcher that started this one: what
/// a JVM has compiled stays as good or as bad as it is until its process ends.
final class FreshProcess {
  private FreshProcess() {}

  /// Whether Gatun was started in a way that it can start itself again: by its launcher.
  static boolean canStart() {
    return launcher() != null;
  }

  private static Path launcher() {
    String home = System.getProperty("gatun.home");
    Path launcher = home == null ? null : Path.of(home, "tools", "gatun");
    return launcher != null && Files.isExecutable(launcher) ? launcher : null;
  }

  /// What is made of a command's results while it writes them.
  @FunctionalInterface
  interface Reader<T> {
    T read(InputStream results) throws IOException;
  }

  /// Runs `gatun ARGUMENTS` to its end, with its messages on `messages`.
  ///
  /// @throws IllegalStateException if it fails
  static <T> T run(List<String> arguments, ProcessBuilder.Redirect messages, Reader<T> reader) {
    var command = new ArrayList<String>();
    command.add(launcher().toString());
    command.addAll(arguments);
    try {
      var process = new ProcessBuilder(command).redirectError(messages).start();
      try (var results = process.getInputStream()) {
        T read = reader.read(results);
        results.readAllBytes();
        int code = process.waitFor();
        if (code != 0) {
          throw new IllegalStateException(
              "ended with code %d: %s".formatted(code, String.join(" ", command)));
        }
        return read;
      } finally {
        process.destroy();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted: " + String.join(" ", command), e);
    }
  }
}
