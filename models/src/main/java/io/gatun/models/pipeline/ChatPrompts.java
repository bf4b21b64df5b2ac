package io.gatun.models.pipeline;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.ChatTemplate;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// Prompts as a language model reads them: each is a user's message, which it is to answer.
final class ChatPrompts {
  private final Path folder;
  private final boolean thinking;
  private final Consumer<String> notices;
  private final Tokenizer tokenizer;
  private final ChatTemplate template;

  /// @param folder with the tokenizer and its template, or a GGUF file that has them
  /// @param thinking whether the answer may begin with thoughts
  ChatPrompts(Path folder, boolean thinking, Consumer<String> notices) {
    this.folder = folder;
    this.thinking = thinking;
    this.notices = notices;
    var metadata = Files.isDirectory(folder) ? Map.<String, Object>of() : metadata(folder);
    tokenizer = Tokenizers.load(folder, metadata);
    template = ChatTemplate.load(folder, metadata, tokenizer);
  }

  private static Map<String, Object> metadata(Path gguf) {
    try (var checkpoint = Checkpoint.open(gguf)) {
      return checkpoint.metadata();
    }
  }

  /// A token's id.
  int id(String token) {
    return tokenizer
        .id(token)
        .orElseThrow(
            () -> new CheckpointException("%s: there is no token %s".formatted(folder, token)));
  }

  /// A prompt's tokens, at most so many.
  int[] ids(String prompt, int most) {
    var message = Map.of("role", "user", "content", prompt);
    int[] ids =
        template.encode(
            Map.of(
                "messages",
                List.of(message),
                "add_generation_prompt",
                true,
                "enable_thinking",
                thinking));
    if (ids.length <= most) {
      return ids;
    }
    notices.accept(
        "the prompt is longer than the %d tokens that the model reads; what is behind them is left out"
            .formatted(most));
    return Arrays.copyOf(ids, most);
  }
}
