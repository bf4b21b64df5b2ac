package io.gatun.tools;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun completion SHELL`: a script that makes the shell complete commands and options.
@Command(
    name = "completion",
    description = {
      "Print a script that makes a shell complete commands and options.",
      "",
      "bash and zsh, in ~/.bashrc or ~/.zshrc:  source <(gatun completion bash)  (or zsh)",
      "fish:  gatun completion fish > ~/.config/fish/completions/gatun.fish"
    })
final class Completion implements Runnable {
  /// The shells that there is a script for.
  enum Shell {
    BASH,
    ZSH,
    FISH
  }

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "bash|zsh|fish", description = "The shell.")
  private Shell shell;

  @Override
  public void run() {
    CommandLine gatun = spec.root().commandLine();
    var out = spec.commandLine().getOut();
    out.print(
        switch (shell) {
          case BASH -> AutoComplete.bash("gatun", gatun);
          // What picocli writes loads bashcompinit, but not what that needs.
          case ZSH -> "autoload -Uz compinit && compinit\n" + AutoComplete.bash("gatun", gatun);
          case FISH -> fish(gatun);
        });
    out.flush();
  }

  private static String fish(CommandLine gatun) {
    var script = new StringBuilder("complete -c gatun -f\n");
    fish(gatun, List.of(), script);
    return script.toString();
  }

  /// @param words that lead to the command
  private static void fish(CommandLine command, List<String> words, StringBuilder script) {
    var below = command.getSubcommands();
    String seen =
        words.stream()
            .map(word -> "__fish_seen_subcommand_from " + word)
            .collect(Collectors.joining("; and "));
    String here =
        words.isEmpty()
            ? "__fish_use_subcommand"
            : below.isEmpty()
                ? seen
                : seen
                    + "; and not __fish_seen_subcommand_from "
                    + String.join(" ", below.keySet());
    below.forEach(
        (name, sub) ->
            line(script, here, "-a " + name, sub.getCommandSpec().usageMessage().description()));
    for (OptionSpec option : command.getCommandSpec().options()) {
      var names = new StringBuilder();
      for (String name : option.names()) {
        names.append(name.startsWith("--") ? " -l " + name.substring(2) : " -s " + name.charAt(1));
      }
      line(script, here, names.substring(1) + value(option), option.description());
    }
    command.getCommandSpec().positionalParameters().stream()
        .filter(parameter -> isPath(parameter))
        .forEach(parameter -> line(script, here, "-F", parameter.description()));
    below.forEach(
        (name, sub) -> fish(sub, Stream.concat(words.stream(), Stream.of(name)).toList(), script));
  }

  /// What an option's value can be: one of the words of its label, a file, or anything.
  private static String value(OptionSpec option) {
    if (option.arity().max() == 0) {
      return "";
    }
    String label = option.paramLabel();
    if (label.contains("|") && label.equals(label.toLowerCase(Locale.ROOT))) {
      return " -x -a '" + label.replace('|', ' ') + "'";
    }
    return isPath(option) ? " -r -F" : " -x";
  }

  private static boolean isPath(ArgSpec argument) {
    return argument.type() == Path.class;
  }

  private static void line(StringBuilder script, String when, String what, String[] description) {
    script.append("complete -c gatun -n '").append(when).append("' ").append(what);
    if (description.length > 0) {
      // The first sentence says enough, and the whole would not fit in a line.
      String first = description[0].replaceFirst("(?s)(?<=[.;:]) .*| \\(.*", "");
      script.append(" -d '").append(first.replace("\\", "\\\\").replace("'", "\\'")).append('\'');
    }
    script.append('\n');
  }
}
