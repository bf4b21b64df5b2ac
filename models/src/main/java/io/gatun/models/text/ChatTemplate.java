package io.gatun.models.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A checkpoint's own form of a conversation: a Jinja template, rendered as Hugging Face's
/// `apply_chat_template` does (`trim_blocks`, `lstrip_blocks`, `raise_exception`, `strftime_now`,
/// no tools). The one known difference: a boolean that is printed reads `true`, not `True`.
///
/// The template is Jinja2, run by Jinjava; [JinjaDialect] and [PythonMethods] bridge the two. It
/// comes from outside: it can neither read files nor have a message's text interpreted.
public final class ChatTemplate {
  /// One turn of a conversation; the role is `system`, `user` or `assistant`.
  public record Message(String role, String content) {}

  /// ChatML, for models that have no template but were trained on this form.
  public static final String CHATML =
      "{% for message in messages %}"
          + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
          + "{% endfor %}"
          + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

  static {
    // Jinjava is no module but on the class path, which modules do not read unasked.
    Class<?> self = ChatTemplate.class;
    self.getModule().addReads(self.getClassLoader().getUnnamedModule());
  }

  private final JinjaTemplate template;
  private final Map<String, Object> tokens = new HashMap<>();

  /// A template given as text; `bos_token` and `eos_token` in it are the tokenizer's.
  public ChatTemplate(String template, Tokenizer tokenizer) {
    this.template = new JinjaTemplate(template);
    tokenizer.bos().ifPresent(id -> tokens.put("bos_token", tokenizer.piece(id)));
    tokenizer.eos().ifPresent(id -> tokens.put("eos_token", tokenizer.piece(id)));
  }

  /// The template of a model: a GGUF file's `tokenizer.chat_template`; else, in the model's
  /// directory, `chat_template.jinja` or `chat_template` in `tokenizer_config.json` (the one named
  /// `default` where there are several).
  ///
  /// @param metadata the checkpoint's, as [io.gatun.loaders.Checkpoint#metadata] gives it
  /// @throws CheckpointException if there is none
  public static ChatTemplate load(Path model, Map<String, Object> metadata, Tokenizer tokenizer) {
    if (metadata.get("tokenizer.chat_template") instanceof String template) {
      return new ChatTemplate(template, tokenizer);
    }
    Path directory = Files.isDirectory(model) ? model : model.toAbsolutePath().getParent();
    Path file = directory.resolve("chat_template.jinja");
    try {
      if (Files.isRegularFile(file)) {
        return new ChatTemplate(Files.readString(file), tokenizer);
      }
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
    }
    JsonNode found = TokenizerConfig.read(directory).tokenizer().path("chat_template");
    for (JsonNode named : found.isArray() ? found : List.<JsonNode>of()) {
      if (named.path("name").asText().equals("default")) {
        found = named.path("template");
      }
    }
    if (!found.isTextual()) {
      throw new CheckpointException(
          ("%s: no chat template. Looked for tokenizer.chat_template in the file's metadata, and"
                  + " for chat_template.jinja and chat_template in tokenizer_config.json in %s. A"
                  + " model without one was most likely not trained to chat: use it with gatun"
                  + " generate.")
              .formatted(model, directory));
    }
    return new ChatTemplate(found.textValue(), tokenizer);
  }

  /// The conversation as text; `addGenerationPrompt` ends it where the assistant's answer begins.
  ///
  /// The text holds its own BOS: encode it with `encode(text, false, true)`.
  ///
  /// @throws IllegalArgumentException if the template refuses the messages (roles that do not
  ///   alternate, say), with its reason
  /// @throws CheckpointException if the template is broken
  public String render(List<Message> messages, boolean addGenerationPrompt) {
    var turns = new ArrayList<Map<String, Object>>();
    for (Message message : messages) {
      var turn = new LinkedHashMap<String, Object>();
      turn.put("role", message.role());
      turn.put("content", message.content());
      turns.add(turn);
    }
    var variables = new HashMap<String, Object>(tokens);
    variables.put("messages", turns);
    variables.put("add_generation_prompt", addGenerationPrompt);
    variables.put("tools", null);
    return template.render(variables);
  }
}
