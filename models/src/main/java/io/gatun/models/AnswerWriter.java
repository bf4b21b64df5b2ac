package io.gatun.models;

import io.gatun.models.text.StreamingDecoder;
import io.gatun.models.text.Tokenizer;
import java.util.Arrays;

/// Turns tokens into text as they come, watches for what ends the answer, and holds back what may
/// become a stop text.
final class AnswerWriter {
  private final Tokenizer tokenizer;
  private final GenerateOptions options;
  private final StreamingDecoder decoder;
  private final StringBuilder text = new StringBuilder();
  private int shown;
  private int[] ids = new int[64];
  private int count;

  /// A writer for what follows `prompt`: the text of both is the prompt's and then the answer's.
  AnswerWriter(Tokenizer tokenizer, int[] prompt, GenerateOptions options) {
    this.tokenizer = tokenizer;
    this.options = options;
    decoder = tokenizer.streamingDecoderAfter(prompt, true);
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
      text.append(decoder.push(id));
    }
    for (String stop : options.stop) {
      int at = text.indexOf(stop, Math.max(0, shown - stop.length()));
      if (at >= 0) {
        text.setLength(at);
        return Generation.Reason.STOP;
      }
    }
    show(text.length() - heldBack());
    return Thread.currentThread().isInterrupted() ? Generation.Reason.CANCELLED : null;
  }

  /// The characters at the end that may be the beginning of a stop text.
  private int heldBack() {
    int most = 0;
    for (String stop : options.stop) {
      for (int n = Math.min(stop.length() - 1, text.length()); n > most; n--) {
        if (stop.startsWith(text.substring(text.length() - n))) {
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
      text.append(decoder.flush());
    }
    show(text.length());
    return text.toString();
  }
}
