package io.gatun.models.toolcall;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.Constraint.Trigger;
import io.gatun.models.constraint.ConstraintException;
import io.gatun.models.text.Tokenizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// Lets a model answer as it likes, and keeps the calls that it makes to the functions that there
/// are, and their arguments to the functions' schemas: where the model's form of calls is JSON, and
/// its marks are tokens. Others (Qwen3-Coder's, GLM's, LFM2's, Gemma 4's, Llama 3's) stay free.
public final class CallConstraint {
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final int KEPT = 64;

  /// What was compiled lately: clients send the same functions again and again.
  private static final Map<String, Constraint> COMPILED =
      new LinkedHashMap<>(KEPT, .75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Constraint> eldest) {
          return size() > KEPT;
        }
      };

  private final List<Tool> tools;
  private final Tokenizer tokenizer;
  private final List<Trigger> triggers = new ArrayList<>();

  private CallConstraint(List<Tool> tools, Tokenizer tokenizer) {
    this.tools = tools;
    this.tokenizer = tokenizer;
  }

  /// The constraint for a model; null if its calls cannot be kept to anything.
  ///
  /// @param template the text of its chat template, which tells which form it was trained on
  public static Constraint of(List<Tool> tools, Tokenizer tokenizer, String template) {
    var all = new CallConstraint(tools, tokenizer);
    all.add(template);
    return all.triggers.isEmpty() ? null : Constraint.wherever(all.triggers);
  }

  private boolean knows(String mark) {
    return tokenizer.id(mark).isPresent();
  }

  private void add(String template) {
    if (knows("<|channel|>") && knows("<|message|>")) {
      named(
          "to=functions\\.",
          "(?![\\w.-])[^<]*(<\\|channel\\|>[^<]*)?(<\\|constrain\\|>[^<]*)?<\\|message\\|>",
          true);
      return;
    }
    if (knows("<tool_call>")
        && !template.contains("<function=")
        && !template.contains("<arg_key>")) {
      objects("<tool_call>", "name", "arguments", false);
    }
    if (knows("[TOOL_CALLS]") && knows("[ARGS]")) {
      named("\\[TOOL_CALLS\\]\\s*", "(\\[CALL_ID\\]\\w+)?\\[ARGS\\]", false);
    } else if (knows("[TOOL_CALLS]")) {
      objects("[TOOL_CALLS]", "name", "arguments", true);
    }
    if (knows("<|tool_call|>")) {
      objects("<|tool_call|>", "name", "arguments", true);
    }
    if (knows("<|START_ACTION|>")) {
      objects("<|START_ACTION|>", "tool_name", "parameters", true);
    }
    if (knows("<|tool_call_argument_begin|>")) {
      named("functions\\.", ":\\d+<\\|tool_call_argument_begin\\|>", false);
    }
    if (knows("<\uff5ctool\u2581sep\uff5c>")) {
      named("<\uff5ctool\u2581call\u2581begin\uff5c>", "<\uff5ctool\u2581sep\uff5c>", false);
      named("function<\uff5ctool\u2581sep\uff5c>", "\\n```json\\n", false);
    }
  }

  /// Arguments that follow a name, and what is between them.
  private void named(String before, String between, boolean inThoughts) {
    for (var tool : tools) {
      var pattern = Pattern.compile(before + Pattern.quote(tool.name()) + between + "\\z");
      triggers.add(new Trigger(pattern, compiled(arguments(tool)), inThoughts));
    }
  }

  /// A call as an object, or a list of them.
  private void objects(String mark, String name, String arguments, boolean list) {
    var any = NODES.objectNode();
    var choices = any.putArray("anyOf");
    for (var tool : tools) {
      var call = choices.addObject().put("type", "object");
      var properties = call.putObject("properties");
      if (name.equals("tool_name")) {
        properties.putObject("tool_call_id").put("type", "string");
      }
      properties.putObject(name).put("const", tool.name());
      properties.set(arguments, arguments(tool));
      call.putArray("required").add(name).add(arguments);
      call.put("additionalProperties", false);
    }
    ObjectNode one = choices.size() == 1 ? (ObjectNode) choices.get(0) : any;
    ObjectNode schema = one;
    if (list) {
      schema = NODES.objectNode().put("type", "array").put("minItems", 1);
      schema.set("items", one);
    }
    triggers.add(
        new Trigger(Pattern.compile(Pattern.quote(mark) + "\\z"), compiled(schema), false));
  }

  /// The schema of a function's arguments; of one that cannot be enforced, any object's.
  private static JsonNode arguments(Tool tool) {
    ObjectNode schema = tool.parameters().deepCopy();
    schema.put("type", "object");
    try {
      compiled(schema);
      return schema;
    } catch (ConstraintException e) {
      return NODES.objectNode().put("type", "object");
    }
  }

  private static Constraint compiled(JsonNode schema) {
    String text = schema.toString();
    synchronized (COMPILED) {
      var found = COMPILED.get(text);
      if (found == null) {
        found = Constraint.jsonSchema(text).afterSpace();
        COMPILED.put(text, found);
      }
      return found;
    }
  }
}
