package io.gatun.tools.bench;

import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ThreadsOption;
import io.gatun.tools.search.SearchModule;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun bench cache`: what an answer cache saves. Only [SearchCache] touches the search's module.
@Command(
    name = "cache",
    description =
        "Measure an answer cache on a made-up log of questions, some of which are asked often, in"
            + " several wordings, and some of which differ in a word and have another answer: the"
            + " share of answers that are given again, how many of them are wrong, and the time"
            + " that is saved. No language model is run.",
    sortOptions = false)
final class BenchCache implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "An embedder, as for gatun embed. Without it: vectors that count a question's words and"
              + " their parts.")
  Path model;

  @Option(
      names = "--questions",
      paramLabel = "N",
      defaultValue = "2000",
      converter = CountConverter.class,
      description = "Questions of the log (default: ${DEFAULT-VALUE}).")
  int questions;

  @Option(
      names = "--wrong-hits",
      paramLabel = "SHARE",
      defaultValue = "0.05",
      description =
          "Largest share of wrong answers to similar questions (default: ${DEFAULT-VALUE}).")
  double wrongHits;

  @Option(
      names = "--answer-seconds",
      paramLabel = "S",
      defaultValue = "2",
      description = "Seconds that a language model is taken to need (default: ${DEFAULT-VALUE}).")
  double answerSeconds;

  @Option(names = "--explain", description = "Print what became of each question, and why.")
  boolean explain;

  @Mixin ThreadsOption threads;

  @Option(names = "--json", description = "Print JSON.")
  boolean json;

  @Override
  public Integer call() {
    return SearchModule.use(spec, () -> SearchCache.measure(this));
  }
}
