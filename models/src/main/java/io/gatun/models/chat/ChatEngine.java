package io.gatun.models.chat;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.Shared;
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

  /// The model that others of this process have open with the same settings, or a new one.
  ///
  /// @param context the most tokens of a prompt and its answer, or 0 for the model's own limit
  /// @param parallel the most answers that are written at once
  /// @param threads the threads that compute, or 0 for one a core
  /// @throws CheckpointException if there is no such model, or it is broken
  public static Shared<ChatEngine> share(
      String pathOrName, int context, int parallel, int threads) {
    record Key(String model, int context, int parallel, int threads) {}
    return Shared.open(
        new Key(pathOrName, context, parallel, threads),
        () ->
            open(
                pathOrName,
                o -> {
                  if (context != 0) {
                    o.context(context);
                  }
                  if (threads != 0) {
                    o.threads(threads);
                  }
                },
                o -> o.parallel(parallel)));
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
