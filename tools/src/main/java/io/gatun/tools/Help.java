package io.gatun.tools;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun help COMMAND`: what `gatun COMMAND --help` prints.
@Command(name = "help", description = "Show what a command does and its options.")
final class Help implements Runnable {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "COMMAND", description = "The command; none for the list of all.")
  private List<String> words = new ArrayList<>();

  @Override
  public void run() {
    CommandLine command = spec.root().commandLine();
    for (String word : words) {
      CommandLine below = command.getSubcommands().get(word);
      if (below == null) {
        throw new ParameterException(
            command,
            "There is no command '%s'; there are: %s"
                .formatted(word, String.join(", ", command.getSubcommands().keySet())));
      }
      command = below;
    }
    command.usage(command.getOut());
  }
}
