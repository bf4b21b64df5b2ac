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
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/// Lets a model answer as it likes, and keeps the calls that it makes to the functions that there
/// are, and their arguments to the functions' schemas: where calls begin with a mark that is a
/// token, or as Llama 3's, which are the whole answer. Lists of calls as Llama 3 may write them
/// (`[f(p="value")]`) begin like other lists, and stay free.
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
  private final List<String> openings = new ArrayList<>();
  private final List<Constraint> unmarked = new ArrayList<>();

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

  /// The constraint for a model that calls functions, or answers in a form.
  ///
  /// @param template as for [#of]
  /// @throws IllegalArgumentException if the model's calls do not begin with a mark
  public static Constraint or(
      Constraint form, List<Tool> tools, Tokenizer tokenizer, String template) {
    var all = new CallConstraint(tools, tokenizer);
    all.add(template);
    if (all.triggers.isEmpty()) {
      throw new IllegalArgumentException(
          "there are tools, and the answer must have a form: this model's calls have no mark that"
              + " tells them from an answer. Ask without tools, or without the form");
    }
    all.unmarked.add(form);
    return Constraint.anyOf(all.unmarked).orOpenedBy(all.openings, all.triggers);
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
      return; // another message than the answer
    }
    if (template.contains("<function=")) {
      grammar("<tool_call>", "functions", CallGrammars::functions);
      grammar("<seed:tool_call>", "functions", CallGrammars::functions);
    } else if (template.contains("<arg_key>")) {
      grammar("<tool_call>", "keys", CallGrammars::keysAndValues);
    } else if (knows("<tool_call>")) {
      objects("<tool_call>", "name", "arguments", false);
    }
    grammar("<|tool_call_start|>", "python", CallGrammars::python);
    grammar("<|tool_call>", "gemma", CallGrammars::gemma);
    if (knows("<|python_tag|>")) {
      named(
          "\\A\\s*(<\\|python_tag\\|>)?\\{\\s*\"name\"\\s*:\\s*\"",
          "\"\\s*,\\s*\"parameters\"\\s*:\\s*",
          false);
      openings.add("<|python_tag|>");
      unmarked.add(compiled(calls("name", "parameters", false)));
    }
    if (knows("[TOOL_CALLS]") && knows("[ARGS]")) {
      named("\\[TOOL_CALLS\\]\\s*", "(\\[CALL_ID\\]\\w+)?\\[ARGS\\]", false);
      openings.add("[TOOL_CALLS]");
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
      openings.add("<|tool_calls_section_begin|>");
    }
    if (knows("<\uff5ctool\u2581sep\uff5c>")) {
      named("<\uff5ctool\u2581call\u2581begin\uff5c>", "<\uff5ctool\u2581sep\uff5c>", false);
      named("function<\uff5ctool\u2581sep\uff5c>", "\\n```json\\n", false);
      openings.add("<\uff5ctool\u2581calls\u2581begin\uff5c>");
    }
  }

  /// Arguments that follow a name, and what is between them.
  private void named(String before, String between, boolean inThoughts) {
    for (var tool : tools) {
      var pattern = Pattern.compile(before + Pattern.quote(tool.name()) + between + "\\z");
      triggers.add(new Trigger(pattern, compiled(arguments(tool)), inThoughts));
    }
  }

  /// What follows a mark: a call as an object, or a list of them.
  private void objects(String mark, String name, String arguments, boolean list) {
    marked(mark, compiled(calls(name, arguments, list)));
  }

  private void marked(String mark, Constraint calls) {
    triggers.add(new Trigger(Pattern.compile(Pattern.quote(mark) + "\\z"), calls, false));
    openings.add(mark);
  }

  private ObjectNode calls(String name, String arguments, boolean list) {
    var any = NODES.objectNode();
    var choices = any.putArray("anyOf");
    String place = list ? "/items/anyOf/" : "/anyOf/";
    for (var tool : tools) {
      String pointer = place + choices.size() + "/properties/" + arguments;
      var call = choices.addObject().put("type", "object");
      var properties = call.putObject("properties");
      if (name.equals("tool_name")) {
        properties.putObject("tool_call_id").put("type", "string");
      }
      properties.putObject(name).put("const", tool.name());
      properties.set(arguments, new Tool(tool.name(), arguments(tool)).parametersAt(pointer));
      call.putArray("required").add(name).add(arguments);
      call.put("additionalProperties", false);
    }
    if (!list) {
      return any;
    }
    var schema = NODES.objectNode().put("type", "array").put("minItems", 1);
    schema.set("items", any);
    return schema;
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

  /// Calls in a form of their own.
  private void grammar(String mark, String form, Function<CallGrammars, Constraint> calls) {
    if (knows(mark)) {
      var key = new StringBuilder(form);
      tools.forEach(tool -> key.append('\n').append(tool.name()).append(tool.parameters()));
      marked(mark, compiled(key.toString(), () -> calls.apply(new CallGrammars(tools))));
    }
  }

  private static Constraint compiled(JsonNode schema) {
    String text = schema.toString();
    return compiled(text, () -> Constraint.jsonSchema(text).afterSpace());
  }

  private static Constraint compiled(String key, Supplier<Constraint> compile) {
    synchronized (COMPILED) {
      var found = COMPILED.get(key);
      if (found == null) {
        found = compile.get();
        COMPILED.put(key, found);
      }
      return found;
    }
  }
}
