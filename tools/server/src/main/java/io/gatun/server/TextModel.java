package io.gatun.server;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.engine.Engine;
import io.gatun.models.text.ChatTemplate;
import io.gatun.models.text.Tokenizer;

/// A language model with what writes its answers.
///
/// @param template of conversations; null if the model has none
record TextModel(Llm llm, Engine engine, ChatTemplate template) implements AutoCloseable {
  static TextModel open(Llm llm, ServerOptions options) {
    try {
      ChatTemplate template = null;
      try {
        template =
            ChatTemplate.load(
                llm.checkpoint().path(), llm.checkpoint().metadata(), llm.tokenizer());
      } catch (CheckpointException e) {
        options.notices.accept(e.getMessage());
      }
      var engine =
          Engine.open(
              llm,
              o ->
                  o.parallel(options.parallel)
                      .queue(options.queue)
                      .memory(options.kvMemory)
                      .batchInvariant(options.batchInvariant));
      return new TextModel(llm, engine, template);
    } catch (RuntimeException | Error e) {
      llm.close();
      throw e;
    }
  }

  Tokenizer tokenizer() {
    return llm.tokenizer();
  }

  @Override
  public void close() {
    engine.close();
    llm.close();
  }
}
