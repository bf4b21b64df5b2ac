package io.gatun.tools;

import io.gatun.models.Generation;
import io.gatun.models.Llm;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun generate`: continues a text.
@Command(
    name = "generate",
    description = "Write on from a prompt with a language model.",
    sortOptions = false)
final class Generate implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private ModelOptions model;

  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "TEXT",
      description = "What to write on from (default: nothing but the model's beginning of text).")
  private String prompt;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "Read the prompt from a UTF-8 file.")
  private Path file;

  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "N",
      description = "Most tokens to write (default: ${DEFAULT-VALUE}).")
  private int maxTokens = 256;

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

  @Option(
      names = {"-q", "--quiet"},
      description = "Print the text alone, without the prompt and the figures.")
  private boolean quiet;

  @Override
  public void run() {
    String text = text();
    var out = spec.commandLine().getOut();
    long start = System.nanoTime();
    try (var llm = model.load();
        var session = llm.newSession()) {
      double loaded = (System.nanoTime() - start) / 1e9;
      int[] prompt = llm.tokenizer().encode(text);
      // A prompt that is going to be refused should not stand before the message that says so.
      if (!quiet && prompt.length <= session.capacity()) {
        out.print(text);
        out.flush();
      }
      var result =
          session.generate(
              prompt,
              o ->
                  o.maxTokens(maxTokens)
                      .sampling(sampling.options())
                      .stop(stop)
                      .contextShift(contextShift)
                      .sink(
                          piece -> {
                            out.print(piece);
                            out.flush();
                          }));
      out.println();
      out.flush();
      if (!quiet) {
        spec.commandLine().getErr().println(figures(llm, result, loaded));
      }
    }
  }

  private String text() {
    if (prompt != null && file != null) {
      throw new ParameterException(spec.commandLine(), "Give --prompt or --file, not both");
    }
    if (file == null) {
      return prompt == null ? "" : prompt;
    }
    return Texts.read(file);
  }

  static String figures(Llm llm, Generation g, double loaded) {
    double rate = g.ids().length > 1 ? g.decodeRate() : 0;
    return String.format(
        Locale.ROOT,
        "[loaded in %.2f s; first token after %.2f s; prompt %d tokens, %.1f tok/s; wrote %d"
            + " tokens, %.1f tok/s, reading %s]",
        loaded,
        loaded + g.prefillSeconds(),
        g.promptTokens(),
        g.prefillRate(),
        g.ids().length,
        rate,
        WeightReading.describe(llm, rate));
  }
}
