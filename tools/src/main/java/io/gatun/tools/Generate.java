package io.gatun.tools;

import io.gatun.models.Generation;
import io.gatun.models.Llm;
import java.nio.file.Path;
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

  @Mixin private AnswerOptions answer = new AnswerOptions(256);

  @Option(
      names = {"-q", "--quiet"},
      description = "Print the text alone, without the prompt and the figures.")
  private boolean quiet;

  @Override
  public void run() {
    answer.check();
    String text = text();
    var out = spec.commandLine().getOut();
    long start = System.nanoTime();
    try (var llm = model.load();
        var session = llm.newSession()) {
      double loaded = (System.nanoTime() - start) / 1e9;
      int[] prompt = llm.tokenizer().encode(text);
      var result =
          session.generate(
              prompt,
              o -> {
                answer.apply(o, out);
                // What is going to be refused should not stand before the message that says so.
                if (!quiet && prompt.length <= session.capacity()) {
                  out.print(text);
                  out.flush();
                }
              });
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
