package io.gatun.models.toolcall;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.ConstraintException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.stream.StreamSupport;

/// Calls in forms that are not JSON: what may follow the mark with which they begin.
///
/// Arguments come in the order of the function's schema, those that it requires always. Texts are
/// free but for enumerations, where the form does not write them as JSON.
final class CallGrammars {
  private static final JsonNode ANYTHING = JsonNodeFactory.instance.objectNode();
  private static final Set<String> JSON_TYPES =
      Set.of("integer", "number", "boolean", "array", "object", "null");

  /// Gemma's values: JSON, but for quotes that are a token, and names without any.
  private static final Constraint LOOSE =
      Constraint.gbnf(
          """
          root ::= object | list | text | "true" | "false" | "null" | "-"? [0-9]{1,15} ("." [0-9]{1,15})?
          object ::= "{" (member ("," member)*)? "}"
          member ::= [A-Za-z_] [A-Za-z0-9_.-]{0,63} ":" root
          list ::= "[" (root ("," root)*)? "]"
          text ::= <|"|> [^\\x00]* <|"|>
          """);

  /// What says more of a text than that it is one.
  private static final Set<String> NARROWED =
      Set.of("enum", "const", "pattern", "format", "minLength", "maxLength");

  private static final String QUOTE = "<|\"|>";

  /// What a text cannot have: it is taken for the end of the call, or of the argument.
  private static final String[] ENDS = {
    "</tool_call>", "</seed:tool_call>", "</function>", "</parameter>", "</arg_value>"
  };

  private static final String GEMMAS_END = "<tool_call|>";

  /// Read by [LooseValues], too.
  private static final Constraint IN_SINGLE_QUOTES = Constraint.regex("'[^'\\\\\\n<\\[\\]]*'");

  private static final int DEEPEST = 8;

  private final List<Tool> tools;

  CallGrammars(List<Tool> tools) {
    this.tools = tools;
  }

  /// `<function=f>`, then `<parameter=p>`, value and `</parameter>` on lines of their own, and
  /// `</function>`.
  Constraint functions() {
    return calls(
        tool ->
            Constraint.sequence(
                text("<function=" + tool.name() + ">\n"),
                arguments(
                    tool,
                    "",
                    (name, schema) ->
                        Constraint.sequence(
                            text("<parameter="),
                            name,
                            text(">\n"),
                            plain(schema, tool, "\n</parameter>"),
                            text("\n"))),
                text("</function>")),
        Constraint.regex("\\n?").optional());
  }

  /// `f`, then `<arg_key>p</arg_key>`, `<arg_value>value</arg_value>` for each, and `</tool_call>`.
  Constraint keysAndValues() {
    var line = text("\n").optional();
    return calls(
        tool ->
            Constraint.sequence(
                text(tool.name()),
                line,
                arguments(
                    tool,
                    "",
                    (name, schema) ->
                        Constraint.sequence(
                            Constraint.mark("<arg_key>"),
                            name,
                            Constraint.mark("</arg_key>"),
                            line,
                            Constraint.mark("<arg_value>"),
                            plain(schema, tool, "</arg_value>"),
                            line)),
                Constraint.mark("</tool_call>")),
        line);
  }

  /// `[f(p="value", q=1), g()]`.
  Constraint python() {
    var call =
        Constraint.anyOf(
            tools.stream()
                .map(
                    tool ->
                        Constraint.sequence(
                            text(tool.name() + "("),
                            arguments(
                                tool,
                                ", ",
                                (name, schema) ->
                                    Constraint.sequence(name, text("="), literal(schema, tool))),
                            text(")")))
                .toList());
    var more = Constraint.sequence(text(", "), call).repeated();
    return Constraint.sequence(text("["), call, more, text("]"));
  }

  /// `call:f{p:<|"|>value<|"|>,q:1}<tool_call|>`.
  Constraint gemma() {
    return calls(
        tool ->
            Constraint.sequence(
                text("call:" + tool.name() + "{"),
                arguments(
                    tool,
                    ",",
                    (name, schema) -> Constraint.sequence(name, text(":"), loose(schema, tool, 0))),
                text("}"),
                Constraint.mark(GEMMAS_END)),
        text(" ").optional());
  }

  private interface Form {
    Constraint of(Tool tool);
  }

  private Constraint calls(Form form, Constraint before) {
    return Constraint.sequence(before, Constraint.anyOf(tools.stream().map(form::of).toList()));
  }

  private static Constraint text(String text) {
    return Constraint.choice(List.of(text));
  }

  /// A function's arguments.
  ///
  /// @param comma what stands between two of them, if anything
  /// @param one writes one of them, by its name and schema
  private static Constraint arguments(
      Tool tool, String comma, BiFunction<Constraint, JsonNode, Constraint> one) {
    var between = comma.isEmpty() ? nothing() : text(comma);
    var properties = List.copyOf(tool.parameters().path("properties").properties());
    if (properties.isEmpty()) {
      var any = one.apply(Constraint.regex("[A-Za-z_][A-Za-z0-9_.-]{0,63}"), ANYTHING);
      return tool.parameters().isEmpty()
          ? Constraint.sequence(any, Constraint.sequence(between, any).repeated()).optional()
          : nothing();
    }
    var required = new HashSet<String>();
    tool.parameters().path("required").forEach(name -> required.add(name.asText()));
    var first = nothing(); // of those from here on, if there was none before
    var next = nothing(); // if there was
    for (var property : properties.reversed()) {
      var argument = one.apply(text(property.getKey()), property.getValue());
      var begins = Constraint.sequence(argument, next);
      var goesOn = Constraint.sequence(between, argument, next);
      boolean needed = required.contains(property.getKey());
      first = needed ? begins : Constraint.anyOf(List.of(begins, first));
      next = needed ? goesOn : Constraint.anyOf(List.of(goesOn, next));
    }
    return first;
  }

  private static Constraint nothing() {
    return Constraint.sequence();
  }

  /// JSON where the schema asks for what is no text, and else any text, or one of some; with what
  /// ends it.
  private static Constraint plain(JsonNode asked, Tool tool, String end) {
    var schema = resolved(asked, tool);
    if (JSON_TYPES.contains(schema.path("type").asText())) {
      return Constraint.sequence(json(schema, tool), Constraint.mark(end));
    }
    var some = texts(schema);
    return some.isEmpty()
        ? Constraint.upTo(end, ENDS)
        : Constraint.sequence(Constraint.choice(some), Constraint.mark(end));
  }

  /// What a schema refers to that is nothing but a reference.
  private static JsonNode resolved(JsonNode schema, Tool tool) {
    JsonNode found = schema;
    for (int i = 0; i < DEEPEST && found.path("$ref").asText().startsWith("#/"); i++) {
      found = tool.parameters().at(found.path("$ref").asText().substring(1));
    }
    return found;
  }

  /// The texts that a schema allows, if these are few.
  private static List<String> texts(JsonNode schema) {
    var values = schema.has("const") ? List.of(schema.get("const")) : schema.path("enum");
    var texts =
        StreamSupport.stream(values.spliterator(), false)
            .filter(value -> value.isTextual() && !value.textValue().isEmpty())
            .map(JsonNode::textValue)
            .toList();
    return texts.size() == StreamSupport.stream(values.spliterator(), false).count()
        ? texts
        : List.of();
  }

  /// JSON by a schema, which may refer to definitions beside the arguments; any where it cannot be
  /// enforced.
  private static Constraint json(JsonNode schema, Tool tool) {
    try {
      JsonNode whole = schema.deepCopy();
      if (whole instanceof ObjectNode object) {
        for (String key : List.of("$defs", "definitions")) {
          if (tool.parameters().has(key) && !object.has(key)) {
            object.set(key, tool.parameters().get(key));
          }
        }
      }
      return Constraint.jsonSchema(whole.toString());
    } catch (ConstraintException e) {
      String type = schema.path("type").asText();
      return Constraint.jsonSchema(type.isEmpty() ? "{}" : "{\"type\": \"" + type + "\"}");
    }
  }

  /// JSON, or what Python has in the place of its words and quotes.
  private static Constraint literal(JsonNode asked, Tool tool) {
    var schema = resolved(asked, tool);
    var type = schema.path("type").asText();
    var all = new ArrayList<>(List.of(json(asked, tool)));
    if (type.equals("string") && NARROWED.stream().noneMatch(schema::has)) {
      all.add(IN_SINGLE_QUOTES);
    }
    if (type.equals("boolean") && !schema.has("enum") && !schema.has("const")) {
      all.add(Constraint.choice(List.of("True", "False")));
    } else if (type.equals("null") || schema.path("type").toString().contains("\"null\"")) {
      all.add(text("None"));
    }
    return Constraint.anyOf(all);
  }

  /// A value as Gemma writes it.
  private static Constraint loose(JsonNode asked, Tool tool, int depth) {
    if (depth == DEEPEST) {
      return LOOSE;
    }
    var schema = resolved(asked, tool);
    var some = texts(schema);
    if (!some.isEmpty()) {
      return Constraint.sequence(
          Constraint.mark(QUOTE), Constraint.choice(some), Constraint.mark(QUOTE));
    }
    return switch (schema.path("type").asText()) {
      case "string" ->
          Constraint.anyOf(
              List.of(
                  Constraint.sequence(Constraint.mark(QUOTE), Constraint.upTo(QUOTE, GEMMAS_END)),
                  IN_SINGLE_QUOTES));
      case "integer", "number", "boolean", "null" -> json(schema, tool);
      case "array" -> {
        var item = loose(schema.path("items"), tool, depth + 1);
        var more = Constraint.sequence(text(","), item).repeated();
        yield Constraint.sequence(text("["), Constraint.sequence(item, more).optional(), text("]"));
      }
      case "object" -> {
        var members =
            arguments(
                new Tool("", schema),
                ",",
                (name, value) ->
                    Constraint.sequence(name, text(":"), loose(value, tool, depth + 1)));
        yield Constraint.sequence(text("{"), members, text("}"));
      }
      default -> LOOSE;
    };
  }
}
