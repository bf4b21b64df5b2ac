package io.gatun.tools.evaluate;

import io.gatun.models.Llm;
import io.gatun.models.Perplexity;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.options.ModelOptions;
import io.gatun.tools.options.TextOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun perplexity`: how well a model predicts a text.
@Command(
    name = "perplexity",
    description =
        "Measure how well a model predicts a text: the lower, the better. The text slides through"
            + " windows of --context tokens; each counts only the tokens that none before it did.",
    sortOptions = false)
public final class MeasurePerplexity implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private ModelOptions model;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description =
          "The text, in UTF-8; - is standard input (default: heldout.txt beside the model, if it"
              + " has one).")
  private Path file;

  @Option(
      names = "--stride",
      paramLabel = "N",
      description =
          "How many tokens each window begins after the one before (default: half a window).")
  private Integer stride;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public void run() {
    try (var llm = model.load()) {
      String text = TextOptions.read(file != null ? file : heldOut(model.path()), spec);
      var result =
          llm.perplexity(
              text,
              o -> {
                o.progress(this::progress);
                if (stride != null) {
                  o.stride(stride);
                }
              });
      var out = spec.commandLine().getOut();
      out.println(json ? Json.of(asMap(llm, result)) : asText(result));
      out.flush();
    }
  }

  private Path heldOut(Path model) {
    Path text =
        Files.isDirectory(model)
            ? model.resolve("heldout.txt")
            : model.resolveSibling("heldout.txt");
    if (!Files.exists(text)) {
      throw new ParameterException(
          spec.commandLine(), "No text is given, and there is no " + text + ". Give --file FILE");
    }
    return text;
  }

  /// A line that whoever sits at the terminal sees change.
  private void progress(Perplexity soFar) {
    Interrupts.of(spec)
        .keeps(
            () ->
                String.format(
                    Locale.ROOT,
                    "of the %,d tokens so far the perplexity is %.4f",
                    soFar.tokens(),
                    soFar.perplexity()));
    if (Stdio.of(spec).isInteractive()) {
      var err = spec.commandLine().getErr();
      err.printf(Locale.ROOT, "%,d tokens, perplexity %.4f\r", soFar.tokens(), soFar.perplexity());
      err.flush();
    }
  }

  private static String asText(Perplexity p) {
    return String.format(
        Locale.ROOT,
        "perplexity %.4f (%.4f nats per token, %.4f bits per byte)%n"
            + "%,d tokens, %,d bytes, in windows of %d tokens every %d;"
            + " read %,d tokens in %.2f s, %.1f tok/s",
        p.perplexity(),
        p.nll(),
        p.bitsPerByte(),
        p.tokens(),
        p.bytes(),
        p.window(),
        p.stride(),
        p.read(),
        p.seconds(),
        p.rate());
  }

  private static Map<String, Object> asMap(Llm llm, Perplexity p) {
    var map = new LinkedHashMap<String, Object>();
    map.put("model", llm.checkpoint().path().toString());
    map.put("perplexity", p.perplexity());
    map.put("nll", p.nll());
    map.put("bits_per_byte", p.bitsPerByte());
    map.put("tokens", p.tokens());
    map.put("bytes", p.bytes());
    map.put("window", p.window());
    map.put("stride", p.stride());
    map.put("tokens_read", p.read());
    map.put("seconds", p.seconds());
    map.put("tokens_per_second", p.rate());
    return map;
  }
}
