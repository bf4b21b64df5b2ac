package io.gatun.server.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.DraftModel;
import io.gatun.models.Llm;
import io.gatun.models.engine.Engine;
import io.gatun.models.sampling.PromptLookup;
import io.gatun.models.text.ChatTemplate;
import io.gatun.models.text.Tokenizer;
import io.gatun.server.http.Settings;

/// A language model with what writes its answers.
///
/// @param template of conversations; null if the model has none
/// @param draft guesses what it writes; null for nobody
public record TextModel(Llm llm, Engine engine, ChatTemplate template, Llm draft)
    implements AutoCloseable {
  static TextModel open(Llm llm, Settings settings) {
    Llm draft = null;
    try {
      ChatTemplate template = null;
      try {
        template =
            ChatTemplate.load(
                llm.checkpoint().path(), llm.checkpoint().metadata(), llm.tokenizer());
      } catch (CheckpointException e) {
        settings.notices.accept(e.getMessage());
      }
      draft = draft(llm, settings);
      var small = draft;
      var engine =
          Engine.open(
              llm,
              o -> {
                o.parallel(settings.parallel)
                    .queue(settings.queue)
                    .memory(settings.kvMemory)
                    .batchInvariant(settings.batchInvariant);
                if (small != null) {
                  o.drafter(() -> new DraftModel(llm, small));
                } else if (settings.lookup) {
                  o.drafter(PromptLookup::new);
                }
              });
      return new TextModel(llm, engine, template, draft);
    } catch (RuntimeException | Error e) {
      if (draft != null) {
        draft.close();
      }
      llm.close();
      throw e;
    }
  }

  /// The small model, if its tokens are those of this one.
  private static Llm draft(Llm llm, Settings settings) {
    if (settings.draft == null) {
      return null;
    }
    var draft = Llm.load(settings.draft, o -> o.ops(llm.ops()).pack(settings.pack));
    try {
      new DraftModel(llm, draft).close();
      return draft;
    } catch (IllegalArgumentException e) {
      draft.close();
      settings.notices.accept(e.getMessage() + ". It writes without guesses.");
      return null;
    }
  }

  public Tokenizer tokenizer() {
    return llm.tokenizer();
  }

  @Override
  public void close() {
    engine.close();
    if (draft != null) {
      draft.close();
    }
    llm.close();
  }
}
