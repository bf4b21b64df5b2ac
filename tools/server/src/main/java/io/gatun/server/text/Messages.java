package io.gatun.server.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.chat.ChatPrompt;
import io.gatun.models.chat.ChatPrompt.Question;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.models.TextModel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.http.HttpStatus;

/// The fields of a request that hold messages and tools, in OpenAI's form.
public final class Messages {
  private static final int MESSAGES = 4096;
  private static final int TOOLS = 256;
  private static final List<String> ROLES =
      List.of("system", "developer", "user", "assistant", "tool");

  private Messages() {}

  /// Reads `messages`, `tools`, `tool_choice` and what else a template looks at.
  ///
  /// @param grounding puts what was found before the last question
  /// @throws ApiException if they are none that this server understands
  public static ChatPrompt prompt(Fields f, TextModel model, Grounding grounding) {
    return prompt(f, kwargs(f), model, grounding);
  }

  /// As the other, with switches that are known already.
  ///
  /// @param kwargs the template's own switches
  public static ChatPrompt prompt(Fields f, Map<String, Object> kwargs, TextModel model) {
    return prompt(f, kwargs, model, null);
  }

  private static ChatPrompt prompt(
      Fields f, Map<String, Object> kwargs, TextModel model, Grounding grounding) {
    var messages = messages(f);
    if (grounding != null) {
      grounding.ground(messages, model);
    }
    var tools = tools(f);
    var forced = forced(f, tools);
    boolean several = f.flag("parallel_tool_calls", true);
    JsonNode choice = f.get("tool_choice");
    boolean none = choice != null && choice.asText().equals("none");
    return prompt(new Question(messages, none ? Map.of() : tools, forced, several, kwargs), model);
  }

  /// The prompt of a question.
  ///
  /// @throws ApiException if the model has no template
  public static ChatPrompt prompt(Question question, TextModel model) {
    if (model.template() == null) {
      throw ApiException.of(
          HttpStatus.BAD_REQUEST_400,
          "no_chat_template",
          "model",
          "this model has no chat template, and was most likely not trained to chat: ask it at"
              + " /v1/completions");
    }
    return ChatPrompt.of(model.template(), model.tokenizer(), question);
  }

  private static List<Map<String, Object>> messages(Fields f) {
    var nodes = f.array("messages", MESSAGES);
    if (nodes.isEmpty()) {
      throw f.missing("messages");
    }
    var all = new ArrayList<Map<String, Object>>();
    for (int i = 0; i < nodes.size(); i++) {
      all.add(message(Fields.of(nodes.get(i), "messages[" + i + "]")));
    }
    return all;
  }

  private static Map<String, Object> message(Fields f) {
    String role = f.requiredText("role");
    if (!ROLES.contains(role)) {
      throw f.invalid("role", "is \"%s\"; need one of %s".formatted(role, ROLES));
    }
    var message = new LinkedHashMap<String, Object>();
    // The newer word for the same, which templates do not know.
    message.put("role", role.equals("developer") ? "system" : role);
    var calls = f.array("tool_calls", TOOLS);
    if (!f.has("content") && calls.isEmpty() && !role.equals("assistant")) {
      throw f.missing("content");
    }
    message.put("content", content(f));
    for (String name : List.of("name", "tool_name")) {
      if (f.has(name)) {
        message.put("name", f.text(name, ""));
      }
    }
    refuseImages(f);
    if (f.has("tool_call_id")) {
      message.put("tool_call_id", f.text("tool_call_id", ""));
    }
    for (String thoughts : List.of("reasoning_content", "reasoning", "thinking")) {
      if (f.has(thoughts)) {
        message.put("reasoning_content", f.text(thoughts, ""));
      }
    }
    if (!calls.isEmpty()) {
      message.put("tool_calls", calls.stream().map(Messages::call).toList());
    }
    f.only("refusal", "");
    f.ignore("annotations");
    f.requireAllRead();
    return message;
  }

  /// As Ollama's clients send them.
  public static void refuseImages(Fields f) {
    if (!f.array("images", MESSAGES).isEmpty()) {
      throw f.invalid("images", "has images; this model reads only text");
    }
  }

  /// Text, or the texts of several parts.
  private static String content(Fields f) {
    JsonNode content = f.get("content");
    if (content == null || content.isTextual()) {
      return content == null ? "" : content.textValue();
    }
    var text = new StringBuilder();
    for (JsonNode part : f.array("content", MESSAGES)) {
      String type = part.path("type").asText();
      if (!type.equals("text") || !part.path("text").isTextual()) {
        throw f.invalid(
            "content", "has a part of type \"%s\"; this model reads only text".formatted(type));
      }
      text.append(part.path("text").textValue());
    }
    return text.toString();
  }

  /// Templates want arguments as objects, clients send them as text.
  private static Object call(JsonNode call) {
    var copy = call.deepCopy();
    if (copy.path("function") instanceof ObjectNode function
        && function.path("arguments").isTextual()) {
      try {
        JsonNode arguments = Call.JSON.readTree(function.path("arguments").textValue());
        if (arguments.isObject()) {
          function.set("arguments", arguments);
        }
      } catch (JsonProcessingException e) {
        // A model's own mistake, which it is shown as it made it.
      }
    }
    return ChatPrompt.plain(copy);
  }

  private static Map<String, JsonNode> tools(Fields f) {
    var tools = new LinkedHashMap<String, JsonNode>();
    for (JsonNode tool : f.array("tools", TOOLS)) {
      String name = tool.path("function").path("name").asText();
      if (!tool.path("type").asText("function").equals("function") || name.isEmpty()) {
        throw f.invalid(
            "tools", "has %s; need functions with a name".formatted(Fields.brief(tool)));
      }
      JsonNode parameters = tool.at("/function/parameters");
      if (!parameters.isMissingNode() && !parameters.isNull() && !parameters.isObject()) {
        throw f.invalid(
            "tools",
            "has a function \"%s\" whose parameters are %s; need a JSON schema"
                .formatted(name, Fields.brief(parameters)));
      }
      if (tools.put(name, tool) != null) {
        throw f.invalid("tools", "has two functions \"%s\"".formatted(name));
      }
    }
    return tools;
  }

  private static List<String> forced(Fields f, Map<String, JsonNode> tools) {
    JsonNode choice = f.get("tool_choice");
    if (choice == null || choice.asText().equals("auto") || choice.asText().equals("none")) {
      return List.of();
    }
    if (tools.isEmpty()) {
      throw f.invalid("tool_choice", "is set, and there are no tools");
    }
    if (choice.asText().equals("required")) {
      return List.copyOf(tools.keySet());
    }
    String name = choice.path("function").path("name").asText();
    if (!tools.containsKey(name)) {
      throw f.invalid(
          "tool_choice",
          "is %s; need none, auto, required, or a function of %s"
              .formatted(Fields.brief(choice), tools.keySet()));
    }
    return List.of(name);
  }

  /// The template's own switches, such as `enable_thinking`.
  private static Map<String, Object> kwargs(Fields f) {
    var all = new LinkedHashMap<String, Object>();
    JsonNode node = f.get("chat_template_kwargs");
    if (node != null && !node.isObject()) {
      throw f.invalid("chat_template_kwargs", "must be an object");
    }
    if (node != null) {
      for (var field : node.properties()) {
        if (field.getKey().equals("messages") || field.getKey().equals("tools")) {
          throw f.invalid("chat_template_kwargs", "must not have " + field.getKey());
        }
        all.put(field.getKey(), ChatPrompt.plain(field.getValue()));
      }
    }
    if (f.has("reasoning_effort")) {
      all.put("reasoning_effort", f.text("reasoning_effort", ""));
    }
    return all;
  }
}
