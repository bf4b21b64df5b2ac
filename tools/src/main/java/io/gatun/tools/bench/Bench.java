package io.gatun.tools.bench;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun bench`: measurements.
@Command(
    name = "bench",
    description = "Measure speeds.",
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      BenchSystem.class,
      BenchLlm.class,
      BenchServe.class,
      BenchConstraint.class,
      BenchEmbed.class,
      BenchSearch.class,
      BenchCache.class,
      BenchSam.class,
      BenchDiffusion.class
    })
public final class Bench implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "What to measure is not given: system, llm, serve, constraint, embed, search, cache, sam or"
            + " diffusion");
  }
}
