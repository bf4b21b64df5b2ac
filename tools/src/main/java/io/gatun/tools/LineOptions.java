package io.gatun.tools;

import java.nio.file.Path;
import java.util.List;
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
    if (!prompts.isEmpty() && file != null) {
      throw new ParameterException(command.commandLine(), "Give --prompt or --file, not both");
    }
    if (!prompts.isEmpty()) {
      return prompts;
    }
    var stdio = Stdio.of(command);
    if (file == null && stdio.typed()) {
      throw new ParameterException(
          command.commandLine(), "No text is given. Give --prompt TEXT or --file FILE");
    }
    String all = file != null ? TextOptions.read(file, command) : Texts.read(stdio.in());
    List<String> lines = all.lines().toList();
    if (lines.isEmpty()) {
      throw new ParameterException(
          command.commandLine(), "No text is given: there is not one line to read");
    }
    return lines;
  }
}
