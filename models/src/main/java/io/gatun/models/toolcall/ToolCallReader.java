package io.gatun.models.toolcall;

import io.gatun.models.text.Tokenizer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Tells calls of functions from text, as an answer comes, in the forms in which models write them:
///
/// * Hermes, Qwen 2.5 and 3: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`
/// * Qwen3-Coder and Next: `<tool_call><function=f><parameter=p>value</parameter></function>...`
/// * GLM 4.5: `<tool_call>f<arg_key>p</arg_key><arg_value>value</arg_value></tool_call>`
/// * Mistral: `[TOOL_CALLS][{"name": ..., "arguments": {...}}]`, `[TOOL_CALLS]f[ARGS]{...}`
/// * Granite, Phi-4: `<|tool_call|>[{"name": ..., "arguments": {...}}]<|/tool_call|>`
/// * Command R: `<|START_ACTION|>[{"tool_name": ..., "parameters": {...}}]<|END_ACTION|>`
/// * DeepSeek: `<｜tool▁call▁begin｜>f<｜tool▁sep｜>{...}<｜tool▁call▁end｜>`
/// * Kimi K2: `<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{...}<|tool_call_end|>`
/// * Seed-OSS: `<seed:tool_call><function=f><parameter=p>value</parameter></function>...`
/// * LFM2: `<|tool_call_start|>[f(p="value")]<|tool_call_end|>`
/// * Gemma 4: `<|tool_call>call:f{p:<|"|>value<|"|>}<tool_call|>`
/// * gpt-oss: `<|channel|>commentary to=functions.f<|message|>{...}<|call|>`
/// * Llama 3: an answer that is nothing but `{"name": ..., "parameters": {...}}`, perhaps after
///   `<|python_tag|>`, or `[f(p="value")]`
///
/// What is no call of a function that was given stays text. A call is told of as soon as its name
/// is known, and its arguments as they come. Not for several threads at once.
public final class ToolCallReader {
  /// Takes what was told apart.
  public interface Sink {
    /// What is certainly no part of a call.
    void text(String piece);

    /// A call begins.
    ///
    /// @param index the number of the call, from 0
    void call(int index, String name);

    /// The next characters of a call's arguments, which are a JSON object unless the answer breaks
    /// off or the model errs.
    void arguments(int index, String piece);
  }

  private record Marks(String begin, String end) {}

  private static final List<Marks> MARKS =
      List.of(
          new Marks("<tool_call>", "</tool_call>"),
          new Marks("<seed:tool_call>", "</seed:tool_call>"),
          new Marks("[TOOL_CALLS]", null),
          new Marks("<|tool_call|>", "<|/tool_call|>"),
          new Marks("<|START_ACTION|>", "<|END_ACTION|>"),
          new Marks(
              "<\uff5ctool\u2581calls\u2581begin\uff5c>", "<\uff5ctool\u2581calls\u2581end\uff5c>"),
          new Marks("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
          new Marks("<|tool_call_start|>", "<|tool_call_end|>"),
          new Marks("<|tool_call>", "<tool_call|>"),
          new Marks("<|channel|>commentary to=functions.", "<|call|>"),
          new Marks("<|python_tag|>", null));

  /// A whole answer that is a call.
  private static final Marks NONE = new Marks("", null);

  /// Special tokens that are part of a call, whose names a decoder would leave out.
  private static final List<String> INNER =
      List.of(
          "[ARGS]",
          "[CALL_ID]",
          "<|\"|>",
          "<arg_key>",
          "</arg_key>",
          "<arg_value>",
          "</arg_value>",
          "<|tool_call_begin|>",
          "<|tool_call_argument_begin|>",
          "<|tool_call_end|>",
          "<\uff5ctool\u2581call\u2581begin\uff5c>",
          "<\uff5ctool\u2581sep\uff5c>",
          "<\uff5ctool\u2581call\u2581end\uff5c>");

  private final Tokenizer tokenizer;
  private final CallForms forms;
  private final boolean onlyCalls;
  private final Sink sink;
  private final StringBuilder pending = new StringBuilder();
  private final StringBuilder blank = new StringBuilder();

  /// How many calls were told of before those of the open marks, and how much of these was.
  private int before;

  private int begun;
  private int told;
  private boolean spoke;
  private Marks open;

  /// @param tools the functions that may be called
  /// @param onlyCalls whether the answer is nothing but calls, without marks
  public ToolCallReader(Tokenizer tokenizer, List<Tool> tools, boolean onlyCalls, Sink sink) {
    this.tokenizer = tokenizer;
    this.onlyCalls = onlyCalls;
    this.sink = sink;
    Map<String, Tool> byName = new HashMap<>();
    tools.forEach(tool -> byName.put(tool.name(), tool));
    forms = new CallForms(byName);
  }

  /// Takes in what came.
  ///
  /// @param token that it came with, which may be a mark; -1 for none
  public void push(int token, String text) {
    pending.append(text);
    if (token >= 0 && tokenizer.has(token) && tokenizer.isSpecial(token)) {
      String name = tokenizer.piece(token);
      boolean known =
          open == null
              ? MARKS.stream().anyMatch(m -> m.begin.equals(name))
              : INNER.contains(name) || name.equals(open.end) || name.equals(open.begin);
      pending.append(known ? name : "");
    }
    drain(false, false);
  }

  /// Hands out what was held back.
  ///
  /// @param whole whether the answer came to its end, and did not only break off
  public void finish(boolean whole) {
    drain(true, whole);
    if (calls() == 0) {
      flush();
    }
  }

  /// How many calls were told of.
  public int calls() {
    return before + begun;
  }

  private void drain(boolean end, boolean whole) {
    while (open == null ? seek(end) : read(end, whole)) {}
  }

  /// Looks for the beginning of calls.
  ///
  /// @return whether they begin
  private boolean seek(boolean end) {
    int first = -1;
    for (var marks : MARKS) {
      int at = pending.indexOf(marks.begin);
      if (at >= 0 && (first < 0 || at < first)) {
        first = at;
        open = marks;
      }
    }
    if (open != null) {
      show(first);
      pending.delete(0, open.begin.length());
      return true;
    }
    if ((onlyCalls || !spoke) && !pending.isEmpty() && forms.mayBeCalls(pending.toString())) {
      open = NONE;
      return true;
    }
    show(pending.length() - (end ? 0 : heldBack()));
    return false;
  }

  /// Reads calls between marks.
  ///
  /// @return whether they are at their end, and more may follow
  private boolean read(boolean end, boolean whole) {
    int to = open.end == null ? -1 : endOfCalls(end);
    String body = pending.substring(0, to < 0 ? pending.length() : to);
    tell(forms.read(body, to >= 0 || (end && whole)));
    if (open.equals(NONE) && begun == 0 && !end && !forms.mayBeCalls(body)) {
      open = null;
      spoke = true;
      return true;
    }
    if (to < 0 && !end) {
      return false;
    }
    int after = to < 0 ? pending.length() : to + open.end.length();
    if (begun == 0) {
      pending.insert(0, open.begin);
      show(open.begin.length() + after);
    } else {
      pending.delete(0, after);
    }
    if (begun > 0) {
      blank.setLength(0);
    }
    before += begun;
    begun = 0;
    told = 0;
    open = null;
    return !pending.isEmpty();
  }

  /// Where the mark begins that ends the calls: not in a text of theirs.
  ///
  /// @param end whether nothing more comes, so that what is no JSON after all may be cut anywhere
  private int endOfCalls(boolean end) {
    int first = pending.indexOf(open.end);
    if (first < 0 || !pending.substring(0, first).matches("\\s*\\[?\\s*\\{(?s:.*)")) {
      return first;
    }
    String text = pending.toString();
    int after = JsonPrefix.end(text, JsonPrefix.skipSpace(text, 0));
    int to = after < 0 ? -1 : pending.indexOf(open.end, after);
    return to < 0 && end ? first : to;
  }

  private void tell(List<CallForms.Written> calls) {
    for (int i = Math.max(0, begun - 1); i < calls.size(); i++) {
      var call = calls.get(i);
      if (i == begun) {
        sink.call(before + i, call.name());
        begun++;
        told = 0;
      }
      if (call.arguments().length() > told) {
        sink.arguments(before + i, call.arguments().substring(told));
        told = call.arguments().length();
      }
    }
  }

  /// Hands out the first characters that are pending; white space around calls is no content.
  private void show(int n) {
    blank.append(pending, 0, n);
    pending.delete(0, n);
    if (!blank.toString().isBlank()) {
      flush();
      spoke = true;
    }
  }

  private void flush() {
    if (!blank.isEmpty()) {
      sink.text(blank.toString());
      blank.setLength(0);
    }
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
}
