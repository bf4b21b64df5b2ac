package io.gatun.tools.search;

import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ThreadsOption;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun index`: makes documents searchable. Only [Searching] touches the search's module.
@Command(
    name = "index",
    description =
        "Make documents searchable: text, Markdown, HTML and PDF. What has not changed since the"
            + " last time is left alone, and what is gone is removed.",
    sortOptions = false)
public final class IndexCommand implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Parameters(
      paramLabel = "PATH",
      arity = "1..*",
      description = "Files, and folders with all that is in them but hidden files.")
  List<Path> paths;

  @Option(
      names = "--index",
      paramLabel = "DIR",
      description = "The index's folder (default: .gatun-index in the first folder).")
  Path index;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "An embedder, as for gatun embed, to search by meaning, too. Without it: the one that the"
              + " index was made with; for a new index none, and it is searched by words alone.")
  Path model;

  @Option(
      names = "--chunk-tokens",
      paramLabel = "N",
      converter = CountConverter.class,
      description =
          "Most tokens of a passage (default: 256, or as many as the embedder reads). An index"
              + " keeps it.")
  Integer chunkTokens;

  @Option(
      names = "--overlap-tokens",
      paramLabel = "N",
      description =
          "Most tokens that neighbouring passages share (default: an eighth). An index keeps it.")
  Integer overlapTokens;

  @Option(
      names = "--max-characters",
      paramLabel = "N",
      converter = CountConverter.class,
      defaultValue = "16000000",
      description =
          "Longest document; it is held in memory while it is indexed (default: ${DEFAULT-VALUE}).")
  int maxCharacters;

  @Mixin ThreadsOption threads;

  @Option(names = "--json", description = "Print JSON: what became of the documents.")
  boolean json;

  @Override
  public Integer call() {
    return SearchModule.use(spec, () -> Searching.index(this));
  }
}
