package io.gatun.models.toolcall;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads calls out of what stands between marks, or out of the beginning of it: with more text the
/// calls stay as they are, and the last one's arguments only grow.
final class CallForms {
  /// A call as far as it is written.
  ///
  /// @param arguments a JSON object, or the beginning of one
  record Written(String name, String arguments) {}

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Set<String> NAMES = Set.of("name", "tool_name", "function");
  private static final Set<String> ARGUMENTS = Set.of("arguments", "parameters", "args");

  private static final Pattern FUNCTION =
      Pattern.compile("<function=([^>\\n]+)>(.*?)(</function>|\\z)", Pattern.DOTALL);
  private static final Pattern PARAMETER =
      Pattern.compile("<parameter=([^>\\n]+)>(.*?)</parameter>", Pattern.DOTALL);
  private static final Pattern ARGUMENT =
      Pattern.compile("<arg_key>(.*?)</arg_key>\\s*<arg_value>(.*?)</arg_value>", Pattern.DOTALL);

  /// A name, what stands between it and the arguments, and these.
  private static final Pattern NAMED =
      Pattern.compile(
          "(?:\\[TOOL_CALLS\\]"
              + "|<\uff5ctool\u2581call\u2581begin\uff5c>(?:function<\uff5ctool\u2581sep\uff5c>)?"
              + "|<\\|tool_call_begin\\|>|\\A)"
              + "\\s*(?:functions\\.)?([\\w.-]+)(?::\\d+)?\\s*"
              + "(?:\\[CALL_ID\\]\\w+)?"
              + "(?:\\[ARGS\\]|<\uff5ctool\u2581sep\uff5c>|<\\|tool_call_argument_begin\\|>"
              + "|<\\|message\\|>|```json|(?=\\{))"
              + "\\s*(?:```json)?\\s*(?=\\{|\\z)");

  private static final Pattern PYTHON = Pattern.compile("\\[\\s*([\\w.-]+)\\(.*", Pattern.DOTALL);

  private final Map<String, Tool> tools;

  CallForms(Map<String, Tool> tools) {
    this.tools = tools;
  }

  /// The calls of known functions.
  ///
  /// @param whole whether the text is all there is
  List<Written> read(String body, boolean whole) {
    String text = body.stripLeading();
    List<Written> found;
    if (text.contains("<function=")) {
      found = functions(text);
    } else if (text.contains("<arg_key>") || (whole && tools.containsKey(text.strip()))) {
      found = keysAndValues(text, whole);
    } else if (text.startsWith("call:")) {
      found = gemma(text);
    } else if (PYTHON.matcher(text).matches()) {
      found = python(text);
    } else if (text.startsWith("{") || text.startsWith("[{") || text.matches("(?s)\\[\\s+\\{.*")) {
      found = json(text);
    } else {
      found = named(text);
    }
    found.removeIf(call -> !tools.containsKey(call.name));
    return found;
  }

  /// Whether a text without marks may be calls, or the beginning of some.
  boolean mayBeCalls(String text) {
    String start = text.stripLeading();
    if (start.startsWith("[") && !start.startsWith("[{")) {
      String rest = start.substring(1).stripLeading();
      return rest.isEmpty()
          || rest.startsWith("{")
          || tools.keySet().stream()
              .anyMatch(name -> (name + "(").startsWith(rest) || rest.startsWith(name + "("));
    }
    if (!start.isEmpty() && !start.startsWith("{") && !start.startsWith("[{")) {
      return false;
    }
    int key = JsonPrefix.skipSpace(start, start.indexOf('{') + 1);
    int end = start.isEmpty() ? -1 : JsonPrefix.end(start, key);
    String name = end < 0 ? null : text(start.substring(key, end));
    return end < 0
        || NAMES.contains(name)
        || ARGUMENTS.contains(name)
        || "type".equals(name)
        || "id".equals(name);
  }

  private List<Written> functions(String text) {
    var found = new ArrayList<Written>();
    var functions = FUNCTION.matcher(text);
    while (functions.find()) {
      String name = functions.group(1).strip();
      var values = PARAMETER.matcher(functions.group(2));
      found.add(new Written(name, values(name, values, !functions.group(3).isEmpty())));
    }
    return found;
  }

  private List<Written> keysAndValues(String text, boolean whole) {
    int end = text.indexOf("<arg_key>");
    String name = (end < 0 ? text : text.substring(0, end)).strip();
    var found = new ArrayList<Written>();
    found.add(new Written(name, values(name, ARGUMENT.matcher(text), whole)));
    return found;
  }

  /// Values that stand between marks: text where the function's schema says so, else JSON if it is.
  private String values(String function, Matcher matcher, boolean whole) {
    var tool = tools.get(function);
    var all = new StringBuilder("{");
    while (tool != null && matcher.find()) {
      String name = matcher.group(1).strip();
      String value = matcher.group(2).replaceFirst("^\\n", "").replaceFirst("\\n$", "");
      JsonNode read = tool.isText(name) ? null : json(value, 0, value.length());
      add(all, name, read == null ? JSON.getNodeFactory().textNode(value) : read);
    }
    return all.append(whole ? "}" : "").toString();
  }

  private static void add(StringBuilder object, String name, JsonNode value) {
    object.append(object.length() > 1 ? ", " : "");
    object.append(JSON.getNodeFactory().textNode(name)).append(": ").append(value);
  }

  /// `call:f{a:1,b:<|"|>x<|"|>}`.
  private static List<Written> gemma(String text) {
    var found = new ArrayList<Written>();
    for (int at = 0; text.startsWith("call:", at); ) {
      int open = text.indexOf('{', at);
      if (open < 0) {
        break;
      }
      var values = new LooseValues(text, open + 1);
      found.add(new Written(text.substring(at + 5, open).strip(), arguments(values, '}', ':')));
      at = JsonPrefix.skipSpace(text, values.at());
    }
    return found;
  }

  /// `[f(a=1, b="x"), g()]`.
  private static List<Written> python(String text) {
    var found = new ArrayList<Written>();
    int at = 1;
    while (at < text.length()) {
      int open = text.indexOf('(', at);
      if (open < 0) {
        break;
      }
      var values = new LooseValues(text, open + 1);
      found.add(new Written(text.substring(at, open).strip(), arguments(values, ')', '=')));
      at = JsonPrefix.skipSpace(text, values.at());
      if (at >= text.length() || text.charAt(at) != ',') {
        break;
      }
      at++;
    }
    return found;
  }

  private static String arguments(LooseValues values, char end, char between) {
    var all = new StringBuilder("{");
    try {
      while (!values.take(end)) {
        String name = values.name();
        values.require(between);
        add(all, name, values.value());
        if (!values.take(',')) {
          values.require(end);
          break;
        }
      }
      return all.append('}').toString();
    } catch (LooseValues.Broken e) {
      return all.toString(); // as far as it goes
    }
  }

  /// Objects one after another, or in a list.
  private static List<Written> json(String text) {
    var found = new ArrayList<Written>();
    for (int at = 0; at >= 0 && at < text.length(); ) {
      char c = text.charAt(at);
      if (c == '{') {
        var call = call(text, at);
        if (call != null) {
          found.add(call);
        }
        at = JsonPrefix.end(text, at);
      } else if (Character.isWhitespace(c) || "[],;".indexOf(c) >= 0) {
        at++;
      } else {
        break;
      }
    }
    return found;
  }

  private static Written call(String text, int from) {
    String name = null;
    String arguments = null;
    int at = JsonPrefix.skipSpace(text, from + 1);
    while (at < text.length() && text.charAt(at) == '"') {
      int end = JsonPrefix.end(text, at);
      if (end < 0) {
        break;
      }
      String key = text(text.substring(at, end));
      int value = JsonPrefix.skipSpace(text, end);
      if (value >= text.length() || text.charAt(value) != ':') {
        break;
      }
      value = JsonPrefix.skipSpace(text, value + 1);
      int after = JsonPrefix.end(text, value);
      if (ARGUMENTS.contains(key)) {
        arguments = argumentsAt(text, value, after);
      } else if (key.equals("function") && text.startsWith("{", value)) {
        return call(text, value);
      } else if (after >= 0 && NAMES.contains(key)) {
        name = text(text.substring(value, after));
      }
      if (after < 0) {
        break;
      }
      at = JsonPrefix.skipSpace(text, after);
      at = text.startsWith(",", at) ? JsonPrefix.skipSpace(text, at + 1) : at;
    }
    boolean whole = at < text.length() && text.charAt(at) == '}';
    if (name == null || (arguments == null && !whole)) {
      return null;
    }
    return new Written(name, arguments == null ? "{}" : arguments);
  }

  /// An object, or one that is written as a text.
  private static String argumentsAt(String text, int from, int to) {
    if (text.startsWith("{", from)) {
      return text.substring(from, to < 0 ? text.length() : to);
    }
    String written = to < 0 ? null : text(text.substring(from, to));
    return written == null || !written.stripLeading().startsWith("{")
        ? to < 0 ? null : "{}"
        : written.strip();
  }

  private static List<Written> named(String text) {
    var found = new ArrayList<Written>();
    var names = NAMED.matcher(text);
    for (int at = 0; names.find(at); ) {
      int end = JsonPrefix.end(text, names.end());
      found.add(
          new Written(names.group(1), text.substring(names.end(), end < 0 ? text.length() : end)));
      if (end < 0) {
        break;
      }
      at = end;
    }
    return found;
  }

  private static String text(String json) {
    JsonNode node = json(json, 0, json.length());
    return node != null && node.isTextual() ? node.textValue() : null;
  }

  private static JsonNode json(String text, int from, int to) {
    try {
      return JSON.readTree(text.substring(from, to));
    } catch (JsonProcessingException e) {
      return null;
    }
  }
}
