package io.gatun.tools.remote;

import io.gatun.tools.console.Texts;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The options of commands that a running server can do the work of.
public final class RemoteOptions {
  private static final String[] TEXT = {
    "--prompt",
    "--file",
    "--system",
    "--max-tokens",
    "--temp",
    "--top-k",
    "--top-p",
    "--min-p",
    "--typical-p",
    "--repeat-penalty",
    "--presence-penalty",
    "--frequency-penalty",
    "--repeat-last-n",
    "--seed",
    "--stop",
    "--json-schema",
    "--grammar",
    "--regex",
    "--choice",
    "--quiet"
  };

  private final Set<String> told =
      new HashSet<>(Set.of("--server", "--server-key", "--model", "--debug"));

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--server",
      paramLabel = "URL",
      description =
          "Have a running gatun serve answer, which has its models loaded: http://127.0.0.1:8080;"
              + " --model is one of its names then.")
  private String server;

  @Option(
      names = "--server-key",
      paramLabel = "FILE",
      description = "The file whose first line is the key that the server wants.")
  private Path key;

  /// @param told the command's options that a server is told of, or that say what is done here with
  ///   its answer; all else is the server's own to say
  public RemoteOptions(String... told) {
    this.told.addAll(List.of(told));
  }

  /// Those of a command that writes text.
  public static RemoteOptions ofText() {
    return new RemoteOptions(TEXT);
  }

  /// Whether a server is to answer.
  ///
  /// @throws ParameterException if there are options that it would not be told
  public boolean isGiven() {
    if (server == null && key != null) {
      throw new ParameterException(command.commandLine(), "--server-key needs --server");
    }
    if (server != null) {
      for (OptionSpec option : command.commandLine().getParseResult().matchedOptions()) {
        if (!told.contains(option.longestName())) {
          throw new ParameterException(
              command.commandLine(),
              option.longestName() + " is not told to a server; leave it out with --server");
        }
      }
    }
    return server != null;
  }

  public RemoteServer open() {
    return RemoteServer.of(
        server, key == null ? null : Texts.read(key).lines().findFirst().orElse("").strip());
  }

  /// The name of the model that is asked for; null for the server's first.
  public String model() {
    Path name = command.commandLine().getParseResult().matchedOptionValue("--model", null);
    return name == null ? null : name.toString();
  }
}
