package io.gatun.models.text;

import java.util.List;

/// Turns the tokens of an answer into text as they come, tells thoughts from the answer, watches
/// for stop texts, and holds back what may become one. Not for several threads at once.
public final class AnswerText {
  private final Tokenizer tokenizer;
  private final List<String> stop;
  private final Sink sink;
  private final StreamingDecoder decoder;
  private final Thoughts parts;
  private final StringBuilder text = new StringBuilder();
  private final StringBuilder thoughts = new StringBuilder();
  private int shown;

  /// Takes the text, told apart.
  public interface Sink {
    /// What the model thinks before it answers, without line feeds at its end.
    void thought(String piece);

    void answer(String piece);
  }

  /// For what follows `prompt`: the text of both is the prompt's and then the answer's.
  ///
  /// @param stop texts that end the answer, and are not part of it
  public AnswerText(Tokenizer tokenizer, int[] prompt, List<String> stop, Sink sink) {
    this.tokenizer = tokenizer;
    this.stop = stop;
    this.sink = sink;
    decoder = tokenizer.streamingDecoderAfter(prompt, true);
    parts = new Thoughts(tokenizer, prompt, new Parts());
  }

  private final class Parts implements Thoughts.Sink {
    @Override
    public void answer(String piece) {
      text.append(piece);
    }

    @Override
    public void thought(String piece) {
      int before = thoughts().length();
      thoughts.append(piece);
      String now = thoughts();
      if (now.length() > before) {
        show(text.length());
        sink.thought(now.substring(before));
      }
    }
  }

  /// Takes in a token.
  ///
  /// @return whether it completes a stop text
  public boolean push(int id) {
    if (tokenizer.has(id)) { // an embedding may have rows for tokens that are not there
      parts.push(tokenizer.isSpecial(id) ? parts.mark(id) : decoder.push(id));
    }
    for (String each : stop) {
      int at = text.indexOf(each, Math.max(0, shown - each.length()));
      if (at >= 0) {
        text.setLength(at);
        return true;
      }
    }
    show(text.length() - heldBack(text, stop));
    return false;
  }

  /// Whether what comes next belongs to the answer, not to a thought.
  public boolean isAnswering() {
    return parts.isAnswering();
  }

  /// The tokens that would begin a thought where the answer begins; none if the prompt has ended
  /// one, or begun it.
  public int[] thoughtMarks() {
    return parts.beginnings();
  }

  /// The answer so far, with what is held back.
  public String text() {
    return text.toString();
  }

  /// What the model thought so far.
  public String thoughts() {
    return thoughts.toString().stripTrailing();
  }

  /// Hands out what was held back, unless a stop text ended it.
  public void finish() {
    if (shown <= text.length()) {
      parts.push(decoder.flush());
      parts.finish();
    }
    show(text.length());
  }

  /// The characters at the end of a text that may be the beginning of one of these.
  static int heldBack(CharSequence text, List<String> ends) {
    int most = 0;
    for (String end : ends) {
      for (int n = Math.min(end.length() - 1, text.length()); n > most; n--) {
        if (end.startsWith(text.subSequence(text.length() - n, text.length()).toString())) {
          most = n;
        }
      }
    }
    return most;
  }

  private void show(int to) {
    if (to > shown) {
      sink.answer(text.substring(shown, to));
      shown = to;
    }
  }
}
