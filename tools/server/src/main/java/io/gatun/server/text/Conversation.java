package io.gatun.server.text;

import io.gatun.server.http.ApiException;
import io.gatun.server.http.Call;
import io.gatun.server.http.Fields;
import io.gatun.server.models.TextModel;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Request;
import io.gatun.models.toolcall.CallConstraint;
import io.gatun.models.toolcall.Tool;
import io.gatun.models.toolcall.ToolCallReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.http.HttpStatus;

/// Messages and tools in OpenAI's form, as the prompt of a model.
///
/// @param tools the functions that may be called, by name
/// @param forced those of which one must be called; empty if none must
/// @param several whether an answer may call more than one
public record Conversation(
    TextModel model,
    int[] prompt,
    Map<String, JsonNode> tools,
    List<String> forced,
    boolean several) {
  private static final int MESSAGES = 4096;
  private static final int TOOLS = 256;
  private static final List<String> ROLES =
      List.of("system", "developer", "user", "assistant", "tool");

  /// What begins a call where its JSON follows, of models whose vocabulary has it.
  private static final List<String> OPENINGS = List.of("<tool_call>", "[TOOL_CALLS]");

  /// Reads `messages`, `tools`, `tool_choice` and what else a template looks at.
  ///
  /// @throws ApiException if they are none that this server understands
  public static Conversation of(Fields f, TextModel model) {
    return of(f, kwargs(f), model);
  }

  /// As the other, with switches that are known already.
  ///
  /// @param kwargs the template's own switches
  public static Conversation of(Fields f, Map<String, Object> kwargs, TextModel model) {
    var messages = messages(f);
    var tools = tools(f);
    var forced = forced(f, tools);
    boolean several = f.flag("parallel_tool_calls", true);
    JsonNode choice = f.get("tool_choice");
    boolean none = choice != null && choice.asText().equals("none");
    return of(messages, none ? Map.of() : tools, forced, several, kwargs, model);
  }

  public static Conversation of(
      List<Map<String, Object>> messages,
      Map<String, JsonNode> tools,
      List<String> forced,
      boolean several,
      Map<String, Object> kwargs,
      TextModel model) {
    if (model.template() == null) {
      throw ApiException.of(
          HttpStatus.BAD_REQUEST_400,
          "no_chat_template",
          "model",
          "this model has no chat template, and was most likely not trained to chat: ask it at"
              + " /v1/completions");
    }
    var variables = new LinkedHashMap<String, Object>(kwargs);
    variables.put("messages", messages);
    variables.put("add_generation_prompt", true);
    if (!tools.isEmpty()) {
      variables.put("tools", tools.values().stream().map(Conversation::plain).toList());
    }
    int[] prompt = model.template().encode(variables);
    if (prompt.length == 0) {
      throw ApiException.invalid("messages", "the model's chat template makes no text of them");
    }
    var conversation = new Conversation(model, prompt, tools, forced, several);
    return forced.isEmpty() ? conversation : conversation.opened();
  }

  /// With what begins a call at the end of the prompt, unless the model is to think first.
  private Conversation opened() {
    var tokenizer = model.tokenizer();
    String tail =
        tokenizer.decode(
            Arrays.copyOfRange(prompt, Math.max(0, prompt.length - 8), prompt.length), false);
    if (tail.stripTrailing().endsWith("<think>")) {
      return this;
    }
    for (String opening : OPENINGS) {
      var id = tokenizer.id(opening);
      if (id.isPresent()) {
        int[] longer = Arrays.copyOf(prompt, prompt.length + 1);
        longer[prompt.length] = id.getAsInt();
        return new Conversation(model, longer, tools, forced, several);
      }
    }
    return this;
  }

  public boolean isForced() {
    return !forced.isEmpty();
  }

  /// Reads calls out of an answer; null where there can be none.
  public ToolCallReader reader(ToolCallReader.Sink sink) {
    return tools.isEmpty()
        ? null
        : new ToolCallReader(model.tokenizer(), functions(), isForced(), sink);
  }

  private List<Tool> functions() {
    return tools.entrySet().stream()
        .map(tool -> new Tool(tool.getKey(), tool.getValue().at("/function/parameters")))
        .toList();
  }

  /// With a constraint, or that of the calls that must or may be made.
  public Request constrained(Request request, Constraint constraint) {
    if (isForced()) {
      return request.constraint(callConstraint());
    }
    return request.constraint(
        constraint == null && !tools.isEmpty()
            ? CallConstraint.of(functions(), model.tokenizer(), model.templateText())
            : constraint);
  }

  private Constraint callConstraint() {
    var schema = Call.JSON.createObjectNode();
    var any = schema.putArray("anyOf");
    for (String name : forced) {
      var call = any.addObject().put("type", "object");
      var properties = call.putObject("properties");
      properties.putObject("name").put("const", name);
      JsonNode parameters = tools.get(name).path("function").path("parameters");
      properties.set(
          "arguments",
          parameters.isObject() && !parameters.isEmpty()
              ? parameters
              : Call.JSON.createObjectNode().put("type", "object"));
      call.putArray("required").add("name").add("arguments");
      call.put("additionalProperties", false);
    }
    return Sampling.schema(any.size() == 1 ? any.get(0) : schema);
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
      message.put("tool_calls", calls.stream().map(Conversation::call).toList());
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
    return plain(copy);
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
        all.put(field.getKey(), plain(field.getValue()));
      }
    }
    if (f.has("reasoning_effort")) {
      all.put("reasoning_effort", f.text("reasoning_effort", ""));
    }
    return all;
  }

  /// JSON as templates read it.
  static Object plain(JsonNode node) {
    return switch (node.getNodeType()) {
      case OBJECT -> {
        var map = new LinkedHashMap<String, Object>();
        node.properties().forEach(field -> map.put(field.getKey(), plain(field.getValue())));
        yield map;
      }
      case ARRAY -> {
        var list = new ArrayList<Object>();
        node.forEach(each -> list.add(plain(each)));
        yield list;
      }
      case STRING -> node.textValue();
      case BOOLEAN -> node.booleanValue();
      case NUMBER ->
          node.isIntegralNumber() && node.canConvertToLong()
              ? (Object) node.longValue()
              : (Object) node.doubleValue();
      default -> null;
    };
  }
}
