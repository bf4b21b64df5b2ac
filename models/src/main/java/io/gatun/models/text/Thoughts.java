package io.gatun.models.text;

import java.util.List;
import java.util.regex.Pattern;

/// Tells what a model thinks from what it answers, as the text comes: `<think>` blocks, whatever
/// their marks are called, and the channels of gpt-oss ("harmony"), of which `final` is the answer.
final class Thoughts {
  /// What marks the beginning and the end of a thought.
  private record Marks(String begin, String end) {}

  private static final List<Marks> BLOCKS =
      List.of(
          new Marks("<think>", "</think>"),
          new Marks("[THINK]", "[/THINK]"),
          new Marks("<seed:think>", "</seed:think>"),
          new Marks("<|START_THINKING|>", "<|END_THINKING|>"),
          new Marks("<|channel>thought", "<channel|>"));

  /// Between the first two and the third stands what a message is.
  private static final List<String> CHANNELS =
      List.of("<|start|>", "<|channel|>", "<|message|>", "<|end|>");

  private static final Pattern FUNCTION = Pattern.compile("to=(functions\\.[\\w.-]+)");

  /// Takes the text, told apart.
  interface Sink {
    void thought(String text);

    void answer(String text);
  }

  private enum State {
    ANSWER,
    THOUGHT,
    /// A message to a function.
    CALL,
    /// What kind of message follows.
    HEADER
  }

  private final Sink sink;
  private final Tokenizer tokenizer;
  private final boolean channels;
  private final int[] beginnings;
  private final StringBuilder pending = new StringBuilder();
  private State state = State.ANSWER;
  private String end = "";

  /// The function that the message is for whose header is read; empty for none.
  private String function = "";

  /// Whether spaces and line feeds are left out, as they are around a thought.
  private boolean skipsSpace;

  /// @param prompt what the text goes on from: it may have begun a thought
  Thoughts(Tokenizer tokenizer, int[] prompt, Sink sink) {
    this.sink = sink;
    this.tokenizer = tokenizer;
    channels = CHANNELS.stream().allMatch(mark -> tokenizer.id(mark).isPresent());
    String before = tail(prompt).stripTrailing();
    beginnings =
        channels
                || BLOCKS.stream().anyMatch(m -> before.endsWith(m.begin) || before.endsWith(m.end))
            ? new int[0]
            : BLOCKS.stream().flatMapToInt(m -> tokenizer.id(m.begin).stream()).toArray();
    for (var marks : BLOCKS) {
      if (!channels && before.endsWith(marks.begin)) {
        begin(marks);
      }
    }
    if (channels && before.endsWith("<|start|>assistant")) {
      state = State.HEADER;
    }
  }

  /// The end of the prompt, special tokens included.
  private String tail(int[] prompt) {
    int most = 8;
    var text = new StringBuilder();
    for (int i = Math.max(0, prompt.length - most); i < prompt.length; i++) {
      text.append(tokenizer.has(prompt[i]) ? tokenizer.decode(new int[] {prompt[i]}, false) : "");
    }
    return text.toString();
  }

  /// The text that a special token stands for here, if it is a mark; else nothing.
  String mark(int id) {
    String piece = tokenizer.piece(id);
    boolean known =
        channels
            ? CHANNELS.contains(piece)
            : BLOCKS.stream().anyMatch(m -> m.begin.startsWith(piece) || m.end.equals(piece));
    return known ? piece : "";
  }

  /// The tokens that begin a thought, if one may come.
  int[] beginnings() {
    return beginnings;
  }

  /// Whether what comes next is neither a thought nor says what follows.
  boolean isAnswering() {
    return state == State.ANSWER;
  }

  /// Takes in a piece of text.
  void push(String text) {
    pending.append(text);
    while (channels ? nextMessage() : nextBlock()) {}
    if (state != State.HEADER) {
      emit(pending.length() - heldBack());
    }
  }

  /// Hands out what was held back.
  void finish() {
    if (state != State.HEADER) {
      emit(pending.length());
    }
    pending.setLength(0);
  }

  private boolean nextBlock() {
    if (state == State.THOUGHT) {
      int at = pending.indexOf(end);
      if (at < 0) {
        return false;
      }
      emit(at);
      pending.delete(0, end.length());
      state = State.ANSWER;
      skipsSpace = true;
      return true;
    }
    for (var marks : BLOCKS) {
      int at = pending.indexOf(marks.begin);
      if (at >= 0) {
        emit(at);
        pending.delete(0, marks.begin.length());
        begin(marks);
        return true;
      }
    }
    return false;
  }

  private void begin(Marks marks) {
    state = State.THOUGHT;
    end = marks.end;
    skipsSpace = true;
  }

  private boolean nextMessage() {
    int at = -1;
    String mark = "";
    for (String candidate : CHANNELS) {
      int found = pending.indexOf(candidate);
      if (found >= 0 && (at < 0 || found < at)) {
        at = found;
        mark = candidate;
      }
    }
    if (at < 0) {
      return false;
    }
    String before = pending.substring(0, at);
    if (state == State.HEADER) {
      pending.delete(0, at);
      var to = FUNCTION.matcher(before);
      function = to.find() ? to.group(1) : function;
      if (mark.equals("<|message|>")) {
        begin(before);
      }
    } else {
      emit(at);
      if (state == State.CALL) {
        sink.answer("<|call|>");
      }
      state = State.HEADER;
      function = "";
    }
    pending.delete(0, mark.length());
    return true;
  }

  /// Begins a message of a channel.
  private void begin(String channel) {
    state = channel.startsWith("final") ? State.ANSWER : State.THOUGHT;
    skipsSpace = true;
    if (!function.isEmpty()) {
      state = State.CALL;
      sink.answer("<|channel|>commentary to=" + function + "<|message|>");
    }
  }

  /// Hands out the first characters of what is pending.
  private void emit(int to) {
    int from = 0;
    while (skipsSpace && from < to && Character.isWhitespace(pending.charAt(from))) {
      from++;
    }
    if (from < to) {
      skipsSpace = false;
      String text = pending.substring(from, to);
      if (state == State.THOUGHT) {
        sink.thought(text);
      } else {
        sink.answer(text);
      }
    }
    pending.delete(0, to);
  }

  /// The characters at the end that may be the beginning of a mark.
  private int heldBack() {
    if (channels) {
      return AnswerText.heldBack(pending, CHANNELS);
    }
    return AnswerText.heldBack(
        pending,
        state == State.THOUGHT ? List.of(end) : BLOCKS.stream().map(Marks::begin).toList());
  }
}
