package io.gatun.tools.bench;

import io.gatun.tools.options.CountConverter;
import io.gatun.tools.search.SearchModule;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun bench search`: what an index costs without the models. Only [SearchSpeed] touches the
/// search's module.
@Command(
    name = "search",
    description =
        "Measure an index of random texts and vectors: how fast it is written, its size, the Java"
            + " heap, and how long a query takes. No embedder is run.",
    sortOptions = false)
final class BenchSearch implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Option(
      names = "--passages",
      paramLabel = "N",
      defaultValue = "100000",
      converter = CountConverter.class,
      description = "Passages of the index (default: ${DEFAULT-VALUE}).")
  int passages;

  @Option(
      names = "--dimension",
      paramLabel = "N",
      defaultValue = "384",
      converter = CountConverter.class,
      description = "Numbers of a vector (default: ${DEFAULT-VALUE}, as of bge-small).")
  int dimension;

  @Option(
      names = "--queries",
      paramLabel = "N",
      defaultValue = "1000",
      converter = CountConverter.class,
      description = "Queries of eight words each (default: ${DEFAULT-VALUE}).")
  int queries;

  @Option(names = "--json", description = "Print JSON.")
  boolean json;

  @Override
  public Integer call() {
    return SearchModule.use(spec, () -> SearchSpeed.measure(this));
  }
}
