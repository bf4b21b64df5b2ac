package io.gatun.tools;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun jshell`, for the list of commands: the launcher itself starts the JDK's jshell.
@Command(
    name = "jshell",
    description = "Open Java's jshell with Gatun imported; what follows goes to jshell.")
final class JShell implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "The launcher, tools/gatun, starts jshell if that is its first word");
  }
}
