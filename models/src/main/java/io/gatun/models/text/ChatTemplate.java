package io.gatun.models.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.template.Template;
import io.gatun.models.template.Template.Rendered;
import io.gatun.models.template.TemplateError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/// A checkpoint's own form of a conversation: a Jinja template, rendered as Hugging Face's
/// `apply_chat_template` does.
///
/// The template comes from outside: it can read no files, and its time and memory are bounded. So
/// do the messages: whatever a template does with them, the names of special tokens in them stay
/// text. Only what the template writes itself becomes special tokens.
public final class ChatTemplate {
  /// One turn of a conversation; the role is `system`, `user` or `assistant`, or another that the
  /// template knows.
  public record Message(String role, String content) {}

  /// ChatML, for models that have no template but were trained on this form.
  public static final String CHATML =
      "{% for message in messages %}"
          + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
          + "{% endfor %}"
          + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

  private static final String DEFAULT = "default";

  /// Used for conversations with tools, where there is one of this name.
  private static final String TOOL_USE = "tool_use";

  /// Roles that templates make special tokens of, as in `<|user|>`: nobody chooses them freely.
  private static final Set<String> ROLES =
      Set.of(
          "system",
          "developer",
          "user",
          "assistant",
          "model",
          "tool",
          "function",
          "ipython",
          "observation",
          "environment");

  private final Map<String, Template> templates;
  private final String text;
  private final Tokenizer tokenizer;
  private final Clock clock;

  /// A template given as text; `bos_token` and `eos_token` in it are the tokenizer's.
  ///
  /// @throws CheckpointException if the template is broken
  public ChatTemplate(String template, Tokenizer tokenizer) {
    this(
        Map.of(DEFAULT, parse(DEFAULT, template)),
        template,
        tokenizer,
        Clock.system(ZoneId.systemDefault()));
  }

  private ChatTemplate(
      Map<String, Template> templates, String text, Tokenizer tokenizer, Clock clock) {
    this.templates = templates;
    this.text = text;
    this.tokenizer = tokenizer;
    this.clock = clock;
  }

  private static ChatTemplate of(Map<String, String> sources, Tokenizer tokenizer) {
    var templates = new HashMap<String, Template>();
    sources.forEach((name, source) -> templates.put(name, parse(name, source)));
    return new ChatTemplate(
        templates, text(sources), tokenizer, Clock.system(ZoneId.systemDefault()));
  }

  private static Template parse(String name, String source) {
    try {
      return Template.parse(source);
    } catch (TemplateError e) {
      throw new CheckpointException(
          "the model's chat template%s cannot be read: %s"
              .formatted(name.equals(DEFAULT) ? "" : " \"" + name + "\"", e.getMessage()),
          e);
    }
  }

  /// The template of a model: a GGUF file's `tokenizer.chat_template`; else, in the model's
  /// directory, `chat_template.jinja` and `additional_chat_templates`, or `chat_template` in
  /// `tokenizer_config.json`. Where there are several, `tool_use` serves conversations with tools
  /// and `default` all others.
  ///
  /// @param metadata the checkpoint's, as [io.gatun.loaders.Checkpoint#metadata] gives it
  /// @throws CheckpointException if there is none, or it is broken
  public static ChatTemplate load(Path model, Map<String, Object> metadata, Tokenizer tokenizer) {
    var sources = sources(model, metadata);
    if (!sources.containsKey(DEFAULT)) {
      throw new CheckpointException(
          ("%s: no chat template. Looked for tokenizer.chat_template in the file's metadata, and"
                  + " for chat_template.jinja and chat_template in tokenizer_config.json in %s. A"
                  + " model without one was most likely not trained to chat: use it with gatun"
                  + " generate.")
              .formatted(model, directory(model)));
    }
    return of(sources, tokenizer);
  }

  /// The text of a model's template, of several the one for conversations with tools: what it names
  /// tells what the model was trained on. Empty if there is none.
  ///
  /// @param metadata the checkpoint's
  public static String text(Path model, Map<String, Object> metadata) {
    return text(sources(model, metadata));
  }

  private static String text(Map<String, String> sources) {
    return sources.getOrDefault(TOOL_USE, sources.getOrDefault(DEFAULT, ""));
  }

  /// Its text, as the static one gives it.
  public String text() {
    return text;
  }

  private static Path directory(Path model) {
    return Files.isDirectory(model) ? model : model.toAbsolutePath().getParent();
  }

  private static Map<String, String> sources(Path model, Map<String, Object> metadata) {
    String key = "tokenizer.chat_template";
    var sources = new LinkedHashMap<String, String>();
    if (metadata.get(key) instanceof String template) {
      sources.put(DEFAULT, template);
      if (metadata.get(key + "." + TOOL_USE) instanceof String forTools) {
        sources.put(TOOL_USE, forTools);
      }
      return sources;
    }
    Path directory = directory(model);
    sources.putAll(inConfig(directory));
    sources.putAll(inFiles(directory));
    return sources;
  }

  private static Map<String, String> inConfig(Path directory) {
    var sources = new LinkedHashMap<String, String>();
    JsonNode found = TokenizerConfig.read(directory).tokenizer().path("chat_template");
    if (found.isTextual()) {
      sources.put(DEFAULT, found.textValue());
    }
    for (JsonNode named : found.isArray() ? found : List.<JsonNode>of()) {
      if (named.path("template").isTextual()) {
        sources.put(named.path("name").asText(), named.path("template").textValue());
      }
    }
    return sources;
  }

  private static Map<String, String> inFiles(Path directory) {
    var sources = new LinkedHashMap<String, String>();
    Path main = directory.resolve("chat_template.jinja");
    Path others = directory.resolve("additional_chat_templates");
    try {
      if (Files.isRegularFile(main)) {
        sources.put(DEFAULT, Files.readString(main));
      }
      if (Files.isDirectory(others)) {
        try (Stream<Path> files = Files.list(others)) {
          for (Path file : files.sorted().toList()) {
            String name = file.getFileName().toString();
            if (name.endsWith(".jinja") && Files.isRegularFile(file)) {
              sources.put(
                  name.substring(0, name.length() - ".jinja".length()), Files.readString(file));
            }
          }
        }
      }
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: the chat template cannot be read: %s".formatted(directory, e), e);
    }
    return sources;
  }

  /// The same template, for which `strftime_now` is another time.
  public ChatTemplate withClock(Clock other) {
    return new ChatTemplate(templates, text, tokenizer, other);
  }

  /// The conversation as text; `addGenerationPrompt` ends it where the assistant's answer begins.
  ///
  /// For a model, use [#encode]: in the text nothing tells the template's special tokens from those
  /// that a message only names.
  ///
  /// @throws IllegalArgumentException if the template refuses the messages (roles that do not
  ///   alternate, say), with its reason
  /// @throws CheckpointException if the template errs, or needs too much time or memory
  public String render(List<Message> messages, boolean addGenerationPrompt) {
    return run(variables(messages, addGenerationPrompt)).text();
  }

  /// The same with all that a template may look at: `messages` (maps with `role`, `content`,
  /// `tool_calls`, ...), `tools`, `documents`, `add_generation_prompt`, and the template's own
  /// switches, such as `enable_thinking`.
  ///
  /// @param variables strings, numbers, booleans, null, and lists and maps of them
  /// @throws IllegalArgumentException if the template refuses the messages, with its reason
  /// @throws CheckpointException if the template errs, or needs too much time or memory
  public String render(Map<String, ?> variables) {
    return run(variables).text();
  }

  /// The ids of the conversation, as the model expects it: with those special tokens that the
  /// template writes, BOS too, and no others.
  ///
  /// @throws IllegalArgumentException if the template refuses the messages, with its reason
  /// @throws CheckpointException if the template errs, or needs too much time or memory
  public int[] encode(List<Message> messages, boolean addGenerationPrompt) {
    return encode(variables(messages, addGenerationPrompt));
  }

  /// The same with all that a template may look at, as [#render(Map)] takes it.
  public int[] encode(Map<String, ?> variables) {
    Rendered rendered = run(variables);
    return tokenizer.encode(rendered.text(), false, rendered.data());
  }

  private static Map<String, Object> variables(
      List<Message> messages, boolean addGenerationPrompt) {
    var turns = new ArrayList<Map<String, Object>>();
    for (Message message : messages) {
      var turn = new LinkedHashMap<String, Object>();
      turn.put("role", message.role());
      turn.put("content", message.content());
      turns.add(turn);
    }
    var variables = new LinkedHashMap<String, Object>();
    variables.put("messages", turns);
    variables.put("add_generation_prompt", addGenerationPrompt);
    return variables;
  }

  private Rendered run(Map<String, ?> given) {
    var variables = new HashMap<String, Object>();
    variables.put("tools", null);
    variables.put("documents", null);
    tokenizer.bos().ifPresent(id -> variables.put("bos_token", own(id)));
    tokenizer.eos().ifPresent(id -> variables.put("eos_token", own(id)));
    variables.putAll(given);
    if (given.get("messages") instanceof List<?> messages) {
      variables.put("messages", messages.stream().map(ChatTemplate::withOwnRole).toList());
    }
    Template template =
        variables.get("tools") != null && templates.containsKey(TOOL_USE)
            ? templates.get(TOOL_USE)
            : templates.get(DEFAULT);
    try {
      return template.render(variables, clock);
    } catch (TemplateError.Refusal e) {
      throw new IllegalArgumentException(
          "the model's chat template refuses this conversation: " + e.getMessage(), e);
    } catch (TemplateError e) {
      throw new CheckpointException(
          "the model's chat template cannot be rendered: " + e.getMessage(), e);
    }
  }

  private Object own(int id) {
    return Template.own(tokenizer.piece(id));
  }

  private static Object withOwnRole(Object message) {
    if (!(message instanceof Map<?, ?> map
        && map.get("role") instanceof String role
        && ROLES.contains(role))) {
      return message;
    }
    var copy = new LinkedHashMap<Object, Object>(map);
    copy.put("role", Template.own(role));
    return copy;
  }
}
