package io.gatun.tools.options;

import io.gatun.tensor.runtime.Workers;
import picocli.CommandLine.Option;

/// How many threads compute.
public final class ThreadsOption {
  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Threads that compute (default: the physical cores).")
  private int threads = Workers.defaultThreads();

  public int count() {
    return threads;
  }
}
