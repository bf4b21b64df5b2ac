package io.gatun.tools.text;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.GenerateOptions;
import io.gatun.models.Thinking;
import io.gatun.tools.options.CountConverter;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/// The options of every command that writes text: how much, how it is chosen, and where it ends.
public final class AnswerOptions {
  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Most tokens to write at a time (default: ${DEFAULT-VALUE}).")
  private int maxTokens;

  @Mixin private SamplingOptionsMixin sampling;

  @Mixin private ConstraintOptions constraint;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      converter = TextConverter.class,
      description = "Stop before this text; may be given several times.")
  private List<String> stop = new ArrayList<>();

  @Option(
      names = "--context-shift",
      description =
          "When the context is full, forget its older half and go on, instead of ending there.")
  private boolean contextShift;

  @Option(
      names = "--thinking",
      paramLabel = "show|hide",
      description = "Whether to print what the model thinks before it answers (default: show).")
  private Thinking thinking = Thinking.SHOW;

  /// @param maxTokens the default of `--max-tokens`
  public AnswerOptions(int maxTokens) {
    this.maxTokens = maxTokens;
  }

  public int maxTokens() {
    return maxTokens;
  }

  /// Refuses what cannot be, before anything is loaded.
  ///
  /// @throws IllegalArgumentException if a value is out of its range
  public void check() {
    sampling.options();
    constraint.constraint();
  }

  /// Puts them into `o`, and has the text written to `out` as it comes.
  public void apply(GenerateOptions o, PrintWriter out) {
    o.maxTokens(maxTokens)
        .sampling(sampling.options())
        .constraint(constraint.constraint())
        .stop(stop)
        .contextShift(contextShift)
        .thinking(thinking)
        .sink(
            piece -> {
              out.print(piece);
              out.flush();
            });
  }

  /// Puts them into a request to a server.
  void tell(ObjectNode body) {
    body.put("max_tokens", maxTokens);
    sampling.tell(body);
    constraint.tell(body);
    stop.forEach(body.putArray("stop")::add);
  }

  static final class TextConverter implements ITypeConverter<String> {
    @Override
    public String convert(String value) {
      if (value.isEmpty()) {
        throw new TypeConversionException("it is empty; need a character or more");
      }
      return value;
    }
  }
}
