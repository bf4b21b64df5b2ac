package io.gatun.tools;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun spark`, for the list of commands: the launcher itself starts Spark.
@Command(
    name = "spark",
    description = "Have a model compute a column of a dataset on Apache Spark; --help says how.")
final class SparkJob implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "The launcher, tools/gatun, starts Spark if that is its first word");
  }
}
