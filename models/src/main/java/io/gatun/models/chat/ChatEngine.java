package io.gatun.models.chat;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.engine.Engine;
import io.gatun.models.engine.EngineOptions;
import io.gatun.models.text.ChatTemplate;
import java.util.function.Consumer;

/// A language model with an engine of its own and its chat template.
///
/// @param template null if the model has none, and was most likely not trained to chat
public record ChatEngine(Llm llm, Engine engine, ChatTemplate template) implements AutoCloseable {
  /// Loads a model and opens an engine for it.
  ///
  /// @param pathOrName as [io.gatun.models.NamedModels] finds it
  /// @throws CheckpointException if there is no such model, or it is broken
  /// @throws IllegalArgumentException as for [Engine#open]
  public static ChatEngine open(
      String pathOrName, Consumer<LlmOptions> model, Consumer<EngineOptions> engine) {
    var llm = Llm.load(pathOrName, model);
    try {
      return new ChatEngine(llm, Engine.open(llm, engine), template(llm));
    } catch (RuntimeException | Error e) {
      llm.close();
      throw e;
    }
  }

  private static ChatTemplate template(Llm llm) {
    var checkpoint = llm.checkpoint();
    return ChatTemplate.text(checkpoint.path(), checkpoint.metadata()).isEmpty()
        ? null
        : ChatTemplate.load(checkpoint.path(), checkpoint.metadata(), llm.tokenizer());
  }

  /// The prompt of a question.
  ///
  /// @throws IllegalArgumentException if the model has no chat template, or it refuses the messages
  public ChatPrompt prompt(ChatPrompt.Question question) {
    if (template == null) {
      throw new IllegalArgumentException(
          "%s has no chat template, and was most likely not trained to chat".formatted(llm));
    }
    return ChatPrompt.of(template, llm.tokenizer(), question);
  }

  @Override
  public void close() {
    engine.close();
    llm.close();
  }
}
