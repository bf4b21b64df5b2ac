package io.gatun.tools;

import io.gatun.tensor.runtime.Workers;
import picocli.CommandLine.Option;

/// How many threads compute.
final class ThreadsOption {
  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Threads that compute (default: the physical cores).")
  private int threads = Workers.defaultThreads();

  int count() {
    return threads;
  }
}
