package io.gatun.tools;

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
final class DraftOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--lookup",
      description =
          "Guess that the text goes on as it did when its last tokens were there before, where that"
              + " is faster.")
  boolean lookup;

  @Option(
      names = "--draft",
      paramLabel = "MODEL",
      description =
          "Have a small model of the same vocabulary guess the next tokens, where that is faster.")
  Path draft;

  /// What guesses, and what it needs.
  record Guesses(Drafter drafter, DraftModel session, Llm model) implements AutoCloseable {
    void apply(GenerateOptions o) {
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

  /// Refuses what cannot be, before anything is loaded.
  void check() {
    if (lookup && draft != null) {
      throw new ParameterException(
          spec.commandLine(), "--lookup and --draft both guess the next tokens; leave one out");
    }
  }

  /// What guesses for a model.
  ///
  /// @throws IllegalArgumentException if the small model has other tokens
  Guesses open(Llm llm) {
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
