package io.gatun.tools.text;

import io.gatun.tools.console.Stdio;
import io.gatun.tools.options.TextOptions;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The texts that a command works on: given, or the lines of a file or of standard input.
final class LineOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "TEXT",
      description = "A text; may be given several times. Without it, the lines that are piped in.")
  private List<String> prompts = List.of();

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "Read the texts from a UTF-8 file, one to a line; - is standard input.")
  private Path file;

  /// The texts, at least one.
  List<String> read() {
    var all = new ArrayList<String>();
    stream(lines -> lines.forEachRemaining(all::add));
    return all;
  }

  /// Hands out the texts, at least one, which are read as they are needed.
  void stream(Consumer<Iterator<String>> use) {
    if (!prompts.isEmpty() && file != null) {
      throw new ParameterException(command.commandLine(), "Give --prompt or --file, not both");
    }
    if (!prompts.isEmpty()) {
      use.accept(prompts.iterator());
      return;
    }
    var stdio = Stdio.of(command);
    boolean piped = file == null || file.equals(TextOptions.STANDARD_INPUT);
    if (file == null && stdio.typed()) {
      throw new ParameterException(
          command.commandLine(), "No text is given. Give --prompt TEXT or --file FILE");
    }
    if (piped) {
      lines(stdio.in(), "standard input", use);
      return;
    }
    if (Files.isDirectory(file)) {
      throw new IllegalArgumentException(file + ": is a directory; need a file of text");
    }
    try (var in = Files.newInputStream(file)) {
      lines(in, file.toString(), use);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void lines(InputStream in, String where, Consumer<Iterator<String>> use) {
    // Says so where something is not UTF-8.
    var reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder()));
    var lines = reader.lines().iterator();
    try {
      if (!lines.hasNext()) {
        throw new ParameterException(
            command.commandLine(), "No text is given: there is not one line to read");
      }
      use.accept(lines);
    } catch (UncheckedIOException e) {
      if (e.getCause() instanceof CharacterCodingException) {
        throw new IllegalArgumentException(
            where + ": this is not UTF-8 text; convert it, for instance with iconv -t UTF-8", e);
      }
      throw e;
    }
  }
}
