package io.gatun.tools.evaluate;

import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ThreadsOption;
import io.gatun.tools.search.SearchModule;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun evaluate search`: how often a search finds what it should. Only [SearchingQuality]
/// touches the search's module.
@Command(
    name = "search",
    description = {
      "Measure how often a search finds the paragraph that a sentence comes from: by words, by"
          + " vectors, by both, and sorted once more by a reranker.",
      "",
      "A question is a sentence taken out of the middle of its paragraph, which is searched without"
          + " it, among all others of the files (the inverse cloze task, Lee et al. 2019)."
    },
    sortOptions = false)
final class EvaluateSearch implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "PATH",
      required = true,
      description =
          "A text whose paragraphs are parted by empty lines; may be given several times.")
  List<Path> files;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "An embedder, as for gatun embed. Without it: vectors that count a text's words and their"
              + " parts, which nobody has taught.")
  Path model;

  @Option(
      names = "--reranker",
      paramLabel = "PATH",
      description = "A reranker, as for gatun rank, that sorts what both have found.")
  Path reranker;

  @Option(
      names = "--questions",
      paramLabel = "N",
      defaultValue = "500",
      converter = CountConverter.class,
      description = "Most questions (default: ${DEFAULT-VALUE}).")
  int questions;

  @Option(
      names = "--passages",
      paramLabel = "N",
      defaultValue = "5",
      converter = CountConverter.class,
      description = "Passages among which the right one must be (default: ${DEFAULT-VALUE}).")
  int passages;

  @Option(
      names = "--candidates",
      paramLabel = "N",
      defaultValue = "50",
      converter = CountConverter.class,
      description =
          "Passages that are found in each way, and read by the reranker (default:"
              + " ${DEFAULT-VALUE}).")
  int candidates;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Chooses the questions (default: ${DEFAULT-VALUE}).")
  long seed;

  @Mixin ThreadsOption threads;

  @Option(names = "--json", description = "Print JSON.")
  boolean json;

  @Override
  public Integer call() {
    return SearchModule.use(spec, () -> SearchingQuality.measure(this));
  }
}
