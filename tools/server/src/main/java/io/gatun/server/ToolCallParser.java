package io.gatun.server;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.engine.Piece;
import io.gatun.models.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// Reads calls of functions out of an answer, in the forms in which models write them:
///
/// * Hermes, Qwen 2.5 and 3: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`
/// * Qwen3-Coder and Next: `<tool_call><function=f><parameter=p>value</parameter></function>...`
/// * GLM 4.5: `<tool_call>f<arg_key>p</arg_key><arg_value>value</arg_value></tool_call>`
/// * Mistral: `[TOOL_CALLS][{"name": ..., "arguments": {...}}]`, `[TOOL_CALLS]f[ARGS]{...}`
/// * Granite, Phi-4: `<|tool_call|>[{"name": ..., "arguments": {...}}]<|/tool_call|>`
/// * Command R: `<|START_ACTION|>[{"tool_name": ..., "parameters": {...}}]<|END_ACTION|>`
/// * DeepSeek: `<｜tool▁call▁begin｜>f<｜tool▁sep｜>{...}<｜tool▁call▁end｜>`
/// * Llama 3: an answer that is nothing but `{"name": ..., "parameters": {...}}`, perhaps after
///   `<|python_tag|>`
///
/// What is no call of a function that was given stays text.
final class ToolCallParser {
  /// @param arguments a JSON object
  record ToolCall(String name, ObjectNode arguments) {}

  private record Marks(String begin, String end) {}

  private static final List<Marks> MARKS =
      List.of(
          new Marks("<tool_call>", "</tool_call>"),
          new Marks("[TOOL_CALLS]", null),
          new Marks("<|tool_call|>", "<|/tool_call|>"),
          new Marks("<|START_ACTION|>", "<|END_ACTION|>"),
          new Marks(
              "<\uff5ctool\u2581calls\u2581begin\uff5c>", "<\uff5ctool\u2581calls\u2581end\uff5c>"),
          new Marks("<|python_tag|>", null));

  /// Special tokens that are part of a call, whose names a decoder would leave out.
  private static final List<String> INNER =
      List.of(
          "[ARGS]",
          "[CALL_ID]",
          "<\uff5ctool\u2581call\u2581begin\uff5c>",
          "<\uff5ctool\u2581sep\uff5c>",
          "<\uff5ctool\u2581call\u2581end\uff5c>");

  private static final Pattern FUNCTION =
      Pattern.compile("<function=([^>\\n]+)>(.*?)(?:</function>|\\z)", Pattern.DOTALL);
  private static final Pattern PARAMETER =
      Pattern.compile("<parameter=([^>\\n]+)>(.*?)</parameter>", Pattern.DOTALL);
  private static final Pattern ARGUMENT =
      Pattern.compile("<arg_key>(.*?)</arg_key>\\s*<arg_value>(.*?)</arg_value>", Pattern.DOTALL);
  private static final Pattern DEEPSEEK =
      Pattern.compile(
          "<\uff5ctool\u2581call\u2581begin\uff5c>(?:function<\uff5ctool\u2581sep\uff5c>)?([\\w.-]+)\\s*(?:<\uff5ctool\u2581sep\uff5c>)?\\s*(?:```json)?\\s*(\\{.*?\\})\\s*(?:```)?\\s*<\uff5ctool\u2581call\u2581end\uff5c>",
          Pattern.DOTALL);
  private static final Pattern NAMED =
      Pattern.compile(
          "\\s*([\\w.-]+)\\s*(?:\\[CALL_ID\\]\\w+)?(?:\\[ARGS\\])?\\s*(\\{.*)", Pattern.DOTALL);

  private final Tokenizer tokenizer;
  private final Map<String, JsonNode> tools;
  private final boolean onlyCalls;
  private final StringBuilder pending = new StringBuilder();
  private final List<ToolCall> calls = new ArrayList<>();
  private boolean atStart = true;
  private Marks open;

  /// @param onlyCalls whether the answer is a call's JSON and nothing else
  ToolCallParser(
      Tokenizer tokenizer, int[] prompt, Map<String, JsonNode> tools, boolean onlyCalls) {
    this.tokenizer = tokenizer;
    this.tools = tools;
    this.onlyCalls = onlyCalls;
  }

  /// Takes in what came.
  ///
  /// @return the text that is certainly no part of a call
  String push(Piece piece) {
    pending.append(piece.text());
    if (piece.token() >= 0 && tokenizer.has(piece.token()) && tokenizer.isSpecial(piece.token())) {
      String name = tokenizer.piece(piece.token());
      if (INNER.contains(name)
          || MARKS.stream().anyMatch(m -> m.begin.equals(name) || name.equals(m.end))) {
        pending.append(name);
      }
    }
    return drain(false);
  }

  /// What is left when the answer has ended.
  String finish() {
    return drain(true);
  }

  /// The calls so far.
  List<ToolCall> calls() {
    return calls;
  }

  private String drain(boolean end) {
    var shown = new StringBuilder();
    while (step(end, shown)) {}
    if (!shown.toString().isBlank()) {
      atStart = false;
    }
    // Line feeds around calls are no content.
    return !calls.isEmpty() && shown.toString().isBlank() ? "" : shown.toString();
  }

  /// @return whether there may be more to do
  private boolean step(boolean end, StringBuilder shown) {
    if (open != null) {
      int to = open.end == null ? -1 : pending.indexOf(open.end);
      if (to < 0 && !end) {
        return false;
      }
      String body = pending.substring(0, to < 0 ? pending.length() : to);
      String whole = open.begin + body + (to < 0 ? "" : open.end);
      if (!read(body)) {
        shown.append(whole);
      }
      pending.delete(0, to < 0 ? pending.length() : to + open.end.length());
      open = null;
      return !pending.isEmpty();
    }
    int first = -1;
    for (var marks : MARKS) {
      int at = pending.indexOf(marks.begin);
      if (at >= 0 && (first < 0 || at < first)) {
        first = at;
        open = marks;
      }
    }
    if (first >= 0) {
      shown.append(pending, 0, first);
      pending.delete(0, first + open.begin.length());
      return true;
    }
    if (isBare()) {
      if (!end) {
        return false; // it may yet turn out to be a call
      }
      if (read(pending.toString())) {
        pending.setLength(0);
        return false;
      }
    }
    int keep = end ? 0 : heldBack();
    shown.append(pending, 0, pending.length() - keep);
    pending.delete(0, pending.length() - keep);
    return false;
  }

  /// Whether the answer as a whole may be a call without marks.
  private boolean isBare() {
    if (!atStart && !onlyCalls) {
      return false;
    }
    String text = pending.toString().stripLeading();
    return text.isEmpty() || text.startsWith("{") || text.startsWith("[{") || text.equals("[");
  }

  private int heldBack() {
    int most = 0;
    for (var marks : MARKS) {
      for (int n = Math.min(marks.begin.length() - 1, pending.length()); n > most; n--) {
        if (marks.begin.startsWith(pending.substring(pending.length() - n))) {
          most = n;
        }
      }
    }
    return most;
  }

  /// @return whether it is calls of known functions
  private boolean read(String body) {
    var found = new ArrayList<ToolCall>();
    String text = body.strip();
    var deepseek = DEEPSEEK.matcher(text);
    if (text.contains("<function=")) {
      var functions = FUNCTION.matcher(text);
      while (functions.find()) {
        add(
            found,
            functions.group(1).strip(),
            values(PARAMETER, functions.group(1).strip(), functions.group(2)));
      }
    } else if (text.contains("<arg_key>")) {
      String name = text.substring(0, text.indexOf("<arg_key>")).strip();
      add(found, name, values(ARGUMENT, name, text));
    } else if (deepseek.find()) {
      do {
        add(found, deepseek.group(1), json(deepseek.group(2)));
      } while (deepseek.find());
    } else if (text.startsWith("{") || text.startsWith("[")) {
      for (String each : text.split("[;\\n](?=\\s*\\{)", -1)) { // Llama writes several so
        JsonNode node = json(each);
        for (JsonNode call :
            node != null && node.isArray()
                ? node
                : node == null ? List.<JsonNode>of() : List.of(node)) {
          add(found, name(call), arguments(call));
        }
      }
      if (found.isEmpty()) {
        JsonNode node = json(text);
        if (node != null) {
          add(found, name(node), arguments(node));
        }
      }
    } else if (tools.containsKey(text)) {
      add(found, text, Call.JSON.createObjectNode());
    } else {
      for (String each : text.split("\\[TOOL_CALLS\\]", -1)) {
        var named = NAMED.matcher(each);
        if (named.matches()) {
          add(found, named.group(1), json(named.group(2)));
        }
      }
    }
    calls.addAll(found);
    return !found.isEmpty();
  }

  private void add(List<ToolCall> found, String name, JsonNode arguments) {
    if (tools.containsKey(name) && arguments instanceof ObjectNode object) {
      found.add(new ToolCall(name, object));
    }
  }

  private static String name(JsonNode call) {
    return call.path("name").asText(call.path("tool_name").asText(call.path("function").asText()));
  }

  private static JsonNode arguments(JsonNode call) {
    for (String name : List.of("arguments", "parameters", "args")) {
      JsonNode value = call.get(name);
      if (value != null) {
        return value.isTextual() ? json(value.textValue()) : value;
      }
    }
    return Call.JSON.createObjectNode();
  }

  /// Values that stand between marks: text where the function's schema says so, else JSON if it is.
  private ObjectNode values(Pattern pattern, String function, String text) {
    var all = Call.JSON.createObjectNode();
    if (!tools.containsKey(function)) {
      return all;
    }
    var schema = tools.get(function).path("function").path("parameters").path("properties");
    var matcher = pattern.matcher(text);
    while (matcher.find()) {
      String name = matcher.group(1).strip();
      String value = matcher.group(2).replaceFirst("^\\n", "").replaceFirst("\\n$", "");
      JsonNode read = schema.path(name).path("type").asText().equals("string") ? null : json(value);
      if (read == null) {
        all.put(name, value);
      } else {
        all.set(name, read);
      }
    }
    return all;
  }

  private static JsonNode json(String text) {
    try {
      return Call.JSON.readTree(text);
    } catch (JsonProcessingException e) {
      return null;
    }
  }
}
