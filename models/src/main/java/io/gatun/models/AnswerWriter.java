package io.gatun.models;

import io.gatun.models.text.AnswerText;
import io.gatun.models.text.Tokenizer;
import java.util.Arrays;

/// Writes an answer to the sink of its options, and knows when it ends.
final class AnswerWriter implements AnswerText.Sink {
  private final Tokenizer tokenizer;
  private final GenerateOptions options;
  private final AnswerText text;
  private boolean showingThought;
  private int[] ids = new int[64];
  private int count;

  /// A writer for what follows `prompt`.
  AnswerWriter(Tokenizer tokenizer, int[] prompt, GenerateOptions options) {
    this.tokenizer = tokenizer;
    this.options = options;
    text = new AnswerText(tokenizer, prompt, options.stop, this);
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
    if (text.push(id)) {
      return Generation.Reason.STOP;
    }
    return Thread.currentThread().isInterrupted() ? Generation.Reason.CANCELLED : null;
  }

  @Override
  public void answer(String piece) {
    if (showingThought) {
      showingThought = false;
      options.sink.accept("\n</think>\n\n");
    }
    options.sink.accept(piece);
  }

  @Override
  public void thought(String piece) {
    if (options.thinking == Thinking.SHOW) {
      if (!showingThought) {
        showingThought = true;
        options.sink.accept("<think>\n");
      }
      options.sink.accept(piece);
    }
  }

  String thoughts() {
    return text.thoughts();
  }

  /// Shows what was held back and returns the whole text.
  String finish() {
    text.finish();
    return text.text();
  }
}
