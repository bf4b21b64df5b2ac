package io.gatun.tools;

import io.gatun.models.GenerateOptions;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// The options of every command that writes text: how much, how it is chosen, and where it ends.
final class AnswerOptions {
  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "N",
      description = "Most tokens to write at a time (default: ${DEFAULT-VALUE}).")
  private int maxTokens;

  @Mixin private SamplingOptionsMixin sampling;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "Stop before this text; may be given several times.")
  private List<String> stop = new ArrayList<>();

  @Option(
      names = "--context-shift",
      description =
          "When the context is full, forget its older half and go on, instead of ending there.")
  private boolean contextShift;

  /// @param maxTokens the default of `--max-tokens`
  AnswerOptions(int maxTokens) {
    this.maxTokens = maxTokens;
  }

  int maxTokens() {
    return maxTokens;
  }

  /// Puts them into `o`, and has the text written to `out` as it comes.
  void apply(GenerateOptions o, PrintWriter out) {
    o.maxTokens(maxTokens)
        .sampling(sampling.options())
        .stop(stop)
        .contextShift(contextShift)
        .sink(
            piece -> {
              out.print(piece);
              out.flush();
            });
  }
}
