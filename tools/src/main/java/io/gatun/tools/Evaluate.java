package io.gatun.tools;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun evaluate`: how good models are.
@Command(
    name = "evaluate",
    description = "Measure how good a model's results are.",
    synopsisSubcommandLabel = "COMMAND",
    subcommands = EvaluateSam.class)
final class Evaluate implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "What to evaluate is not given: sam");
  }
}
