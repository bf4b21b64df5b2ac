package io.gatun.models.chat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Request;
import io.gatun.models.text.ChatTemplate;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.toolcall.CallConstraint;
import io.gatun.models.toolcall.Tool;
import io.gatun.models.toolcall.ToolCallReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A conversation as a model reads it, and what it may call in its answer.
///
/// ```java
/// var prompt = ChatPrompt.of(template, tokenizer, question);
/// var answer = new ChatAnswer(prompt);
/// var handle = engine.submit(prompt.constrained(Request.of(prompt.tokens()), null));
/// answer.read(handle, part -> System.out.print(part.text()));
/// ```
public final class ChatPrompt {
  /// What is asked.
  ///
  /// @param messages as templates read them: maps with `role`, `content` and, where there are any,
  ///   `tool_calls`, `tool_call_id`, `name`, `reasoning_content`
  /// @param tools the functions that may be called, by name, in OpenAI's form
  /// @param forced those of which one must be called; empty if none must
  /// @param several whether an answer may call more than one
  /// @param variables the template's own switches, such as `enable_thinking`
  public record Question(
      List<Map<String, Object>> messages,
      Map<String, JsonNode> tools,
      List<String> forced,
      boolean several,
      Map<String, ?> variables) {
    /// Messages alone.
    public static Question of(List<Map<String, Object>> messages) {
      return new Question(messages, Map.of(), List.of(), true, Map.of());
    }

    /// @throws IllegalArgumentException if a function must be called that there is not
    public Question {
      messages = List.copyOf(messages);
      forced = List.copyOf(forced);
      for (String name : forced) {
        if (!tools.containsKey(name)) {
          throw new IllegalArgumentException(
              "the function %s is to be called, and there are %s".formatted(name, tools.keySet()));
        }
      }
    }
  }

  /// What begins a call where its JSON follows, of models whose vocabulary has it.
  private static final List<String> OPENINGS = List.of("<tool_call>", "[TOOL_CALLS]");

  private final Question question;
  private final ChatTemplate template;
  private final Tokenizer tokenizer;
  private final int[] tokens;

  private ChatPrompt(Question question, ChatTemplate template, Tokenizer tokenizer, int[] tokens) {
    this.question = question;
    this.template = template;
    this.tokenizer = tokenizer;
    this.tokens = tokens;
  }

  /// The prompt that a template makes of a question.
  ///
  /// @throws IllegalArgumentException if the template refuses the messages or makes no text of them
  /// @throws io.gatun.loaders.CheckpointException if the template errs
  public static ChatPrompt of(ChatTemplate template, Tokenizer tokenizer, Question question) {
    var variables = new LinkedHashMap<String, Object>(question.variables());
    variables.put("messages", question.messages());
    variables.put("add_generation_prompt", true);
    if (!question.tools().isEmpty()) {
      variables.put("tools", question.tools().values().stream().map(ChatPrompt::plain).toList());
    }
    int[] tokens = template.encode(variables);
    if (tokens.length == 0) {
      throw new IllegalArgumentException("the model's chat template makes no text of the messages");
    }
    var prompt = new ChatPrompt(question, template, tokenizer, tokens);
    return prompt.isForced() ? prompt.opened() : prompt;
  }

  /// With what begins a call at the end, unless the model is to think first.
  private ChatPrompt opened() {
    int[] end = Arrays.copyOfRange(tokens, Math.max(0, tokens.length - 8), tokens.length);
    if (tokenizer.decode(end, false).stripTrailing().endsWith("<think>")) {
      return this;
    }
    for (String opening : OPENINGS) {
      var id = tokenizer.id(opening);
      if (id.isPresent()) {
        int[] longer = Arrays.copyOf(tokens, tokens.length + 1);
        longer[tokens.length] = id.getAsInt();
        return new ChatPrompt(question, template, tokenizer, longer);
      }
    }
    return this;
  }

  /// The ids of the prompt.
  public int[] tokens() {
    return tokens.clone();
  }

  /// Whether the answer must be a call.
  public boolean isForced() {
    return !question.forced().isEmpty();
  }

  /// How many calls of an answer count.
  int mostCalls() {
    return question.several() ? Integer.MAX_VALUE : 1;
  }

  /// Reads calls out of an answer; null where there can be none.
  ToolCallReader reader(ToolCallReader.Sink sink) {
    return question.tools().isEmpty()
        ? null
        : new ToolCallReader(tokenizer, functions(), isForced(), sink);
  }

  private List<Tool> functions() {
    var all = new ArrayList<Tool>();
    question.tools().forEach((name, tool) -> all.add(new Tool(name, parameters(tool))));
    return all;
  }

  private static JsonNode parameters(JsonNode tool) {
    return tool.path("function").path("parameters");
  }

  /// The request with a constraint, and that of the calls that must or may be made: where some may,
  /// the answer is calls, or by the constraint.
  ///
  /// @param constraint null for none
  /// @throws IllegalArgumentException if there is one, and a call must be made, or may be, in a
  ///   form that cannot be told from an answer
  public Request constrained(Request request, Constraint constraint) {
    if (constraint != null && isForced()) {
      throw new IllegalArgumentException(
          "a call must be made, and the answer must have another form; need one of the two");
    }
    if (isForced()) {
      return request.constraint(callConstraint());
    }
    if (question.tools().isEmpty()) {
      return request.constraint(constraint);
    }
    return request.constraint(
        constraint == null
            ? CallConstraint.of(functions(), tokenizer, template.text())
            : CallConstraint.or(constraint, functions(), tokenizer, template.text()));
  }

  private Constraint callConstraint() {
    var schema = JsonNodeFactory.instance.objectNode();
    var any = schema.putArray("anyOf");
    for (String name : question.forced()) {
      var call = any.addObject().put("type", "object");
      var properties = call.putObject("properties");
      properties.putObject("name").put("const", name);
      String place = "/anyOf/" + (any.size() - 1) + "/properties/arguments";
      var arguments = new Tool(name, parameters(question.tools().get(name))).parametersAt(place);
      properties.set(
          "arguments", arguments.isEmpty() ? arguments.put("type", "object") : arguments);
      call.putArray("required").add("name").add("arguments");
      call.put("additionalProperties", false);
    }
    return Constraint.jsonSchema(schema.toString());
  }

  /// JSON as templates read it.
  public static Object plain(JsonNode node) {
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
