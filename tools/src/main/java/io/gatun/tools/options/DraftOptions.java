package io.gatun.tools.options;

import io.gatun.models.DraftModel;
import io.gatun.models.GenerateOptions;
import io.gatun.models.Llm;
import io.gatun.models.sampling.Drafter;
import io.gatun.models.sampling.PromptLookup;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The options that have tokens guessed, which does not change what is written.
public final class DraftOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--lookup",
      description =
          "Guess that the text goes on as it did when its last tokens were there before, where that"
              + " is faster.")
  private boolean lookup;

  @Option(
      names = "--draft",
      paramLabel = "MODEL",
      description =
          "Have a small model of the same vocabulary guess the next tokens, where that is faster.")
  private Path draft;

  /// What guesses, and what it needs.
  public record Guesses(Drafter drafter, DraftModel session, Llm model) implements AutoCloseable {
    public void apply(GenerateOptions o) {
      if (drafter != null) {
        o.drafter(drafter);
      }
    }

    @Override
    public void close() {
      if (session != null) {
        session.close();
        model.close();
      }
    }
  }

  public boolean lookup() {
    return lookup;
  }

  /// The small model, or its name; null for none.
  public Path draft() {
    return draft;
  }

  /// Refuses what cannot be, before anything is loaded.
  public void check() {
    if (lookup && draft != null) {
      throw new ParameterException(
          spec.commandLine(), "--lookup and --draft both guess the next tokens; leave one out");
    }
  }

  /// What guesses for a model.
  ///
  /// @throws IllegalArgumentException if the small model has other tokens
  public Guesses open(Llm llm) {
    if (draft == null) {
      return new Guesses(lookup ? new PromptLookup() : null, null, null);
    }
    var small = Llm.load(ModelNames.find(spec, draft), o -> o.ops(llm.ops()).force(true));
    try {
      var session = new DraftModel(llm, small);
      return new Guesses(session, session, small);
    } catch (RuntimeException e) {
      small.close();
      throw e;
    }
  }
}
