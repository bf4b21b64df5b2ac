package io.gatun.tools.options;

import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Texts;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The text that a command works on: given, in a file, or on standard input.
public final class TextOptions {
  public static final Path STANDARD_INPUT = Path.of("-");

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "TEXT",
      description = "The text. Without it, what is piped into the command.")
  private String prompt;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "Read the text from a UTF-8 file; - is standard input.")
  private Path file;

  /// Whether an option says what it is.
  public boolean isGiven() {
    return prompt != null || file != null;
  }

  /// Whether it stands in the command itself.
  public boolean isTyped() {
    return prompt != null;
  }

  /// The text, or null if none is given and nothing is piped in.
  public String read() {
    if (prompt != null && file != null) {
      throw new ParameterException(command.commandLine(), "Give --prompt or --file, not both");
    }
    if (prompt != null) {
      return prompt;
    }
    if (file != null) {
      return read(file, command);
    }
    var stdio = Stdio.of(command);
    return stdio.typed() ? null : Texts.read(stdio.in());
  }

  /// The text of a file, or of standard input if that is its name.
  public static String read(Path file, CommandSpec command) {
    return file.equals(STANDARD_INPUT) ? Texts.read(Stdio.of(command).in()) : Texts.read(file);
  }
}
