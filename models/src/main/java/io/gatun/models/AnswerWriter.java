package io.gatun.models;

import io.gatun.models.text.StreamingDecoder;
import io.gatun.models.text.Tokenizer;
import java.util.Arrays;
import java.util.List;

/// Turns tokens into text as they come, tells thoughts from the answer, watches for what ends it,
/// and holds back what may become a stop text.
final class AnswerWriter implements Thoughts.Sink {
  private final Tokenizer tokenizer;
  private final GenerateOptions options;
  private final StreamingDecoder decoder;
  private final Thoughts parts;
  private final StringBuilder text = new StringBuilder();
  private final StringBuilder thoughts = new StringBuilder();
  private boolean showingThought;
  private int shown;
  private int[] ids = new int[64];
  private int count;

  /// A writer for what follows `prompt`: the text of both is the prompt's and then the answer's.
  AnswerWriter(Tokenizer tokenizer, int[] prompt, GenerateOptions options) {
    this.tokenizer = tokenizer;
    this.options = options;
    decoder = tokenizer.streamingDecoderAfter(prompt, true);
    parts = new Thoughts(tokenizer, prompt, this);
  }

  int count() {
    return count;
  }

  int[] ids() {
    return Arrays.copyOf(ids, count);
  }

  /// Takes in a token.
  ///
  /// @return why the answer ends here, or null if it goes on
  Generation.Reason write(int id) {
    if (count == ids.length) {
      ids = Arrays.copyOf(ids, 2 * count);
    }
    ids[count++] = id;
    if (tokenizer.isEnd(id)) {
      return Generation.Reason.END;
    }
    if (tokenizer.has(id)) { // an embedding may have rows for tokens that are not there
      parts.push(tokenizer.isSpecial(id) ? parts.mark(id) : decoder.push(id));
    }
    for (String stop : options.stop) {
      int at = text.indexOf(stop, Math.max(0, shown - stop.length()));
      if (at >= 0) {
        text.setLength(at);
        return Generation.Reason.STOP;
      }
    }
    show(text.length() - heldBack(text, options.stop));
    return Thread.currentThread().isInterrupted() ? Generation.Reason.CANCELLED : null;
  }

  @Override
  public void answer(String piece) {
    if (showingThought) {
      showingThought = false;
      options.sink.accept("\n</think>\n\n");
    }
    text.append(piece);
  }

  /// Line feeds at its end are not part of a thought.
  @Override
  public void thought(String piece) {
    int before = thoughts.toString().stripTrailing().length();
    thoughts.append(piece);
    int now = thoughts.toString().stripTrailing().length();
    if (options.thinking == Thinking.SHOW && now > before) {
      show(text.length());
      if (!showingThought) {
        showingThought = true;
        options.sink.accept("<think>\n");
      }
      options.sink.accept(thoughts.substring(before, now));
    }
  }

  String thoughts() {
    return thoughts.toString().stripTrailing();
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
      options.sink.accept(text.substring(shown, to));
      shown = to;
    }
  }

  /// Shows what was held back and returns the whole text.
  String finish() {
    if (shown <= text.length()) {
      parts.push(decoder.flush());
      parts.finish();
    }
    show(text.length());
    return text.toString();
  }
}
