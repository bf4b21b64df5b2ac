package io.gatun.tools.search;

import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ModelOptions;
import io.gatun.tools.text.AnswerOptions;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun ask`: answers from documents. Only [Searching] touches the search's module.
@Command(
    name = "ask",
    description = "Answer a question from the documents of an index, with numbered sources.",
    sortOptions = false)
public final class Ask implements Callable<Integer> {
  @Spec CommandSpec spec;

  @Parameters(paramLabel = "QUESTION", description = "What to answer.")
  String question;

  @Option(
      names = "--index",
      paramLabel = "DIR",
      required = true,
      description = "The index's folder, or the folder that gatun index was given.")
  Path index;

  @Option(
      names = "--passages",
      paramLabel = "N",
      defaultValue = "5",
      converter = CountConverter.class,
      description = "Most passages to answer from (default: ${DEFAULT-VALUE}).")
  int passages;

  @Option(
      names = "--candidates",
      paramLabel = "N",
      defaultValue = "50",
      converter = CountConverter.class,
      description =
          "Passages that are looked for in each way, and read by the reranker (default:"
              + " ${DEFAULT-VALUE}).")
  int candidates;

  @Option(
      names = "--mode",
      paramLabel = "hybrid|words|vectors",
      description =
          "How passages are found (default: hybrid, or words where there are no vectors).")
  SearchMode mode;

  @Option(
      names = "--embedder",
      paramLabel = "PATH",
      description = "Where the embedder of the index lies now (default: where it was).")
  Path embedder;

  @Option(
      names = "--reranker",
      paramLabel = "PATH",
      description = "A reranker, as for gatun rank, that sorts the passages once more.")
  Path reranker;

  @Option(names = "--sources-only", description = "Print the passages, and ask no language model.")
  boolean sourcesOnly;

  @Option(
      names = "--cache",
      paramLabel = "DIR",
      description =
          "Keep answers in this folder, and give them again: to the same question, of the same"
              + " model and options, while the documents are the same.")
  Path cache;

  @Option(
      names = "--wrong-hits",
      paramLabel = "SHARE",
      description =
          "Give answers of --cache to similar questions, too, where at most this share of them is"
              + " expected to be wrong, as is learned from answers that came out alike (default: 0,"
              + " the same questions only). Needs an index with an embedder.")
  double wrongHits;

  @Option(
      names = "--explain",
      description = "Say on stderr why an answer came from --cache or not, and what it has saved.")
  boolean explain;

  @Mixin ModelOptions model;

  @Mixin AnswerOptions answer = new AnswerOptions(256);

  @Option(names = "--json", description = "Print JSON: the answer and its sources.")
  boolean json;

  /// How passages are found.
  public enum SearchMode {
    HYBRID,
    WORDS,
    VECTORS
  }

  @Override
  public Integer call() {
    answer.check();
    if (cache == null && (explain || wrongHits != 0)) {
      throw new ParameterException(
          spec.commandLine(),
          (explain ? "--explain" : "--wrong-hits")
              + " is about answers that are kept; add --cache DIR");
    }
    if (cache != null && sourcesOnly) {
      throw new ParameterException(
          spec.commandLine(), "--sources-only makes no answer that --cache could keep");
    }
    return SearchModule.use(spec, () -> Searching.ask(this));
  }
}
