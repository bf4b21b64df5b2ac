package io.gatun.models;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;

/// How well a model predicts a text.
///
/// @param window tokens that were read together
/// @param stride how far each window begins after the one before
/// @param tokens those that were predicted: all but the first
/// @param bytes the length in UTF-8 of the text they are
/// @param nll the mean of -ln p over the tokens
/// @param read tokens that the model read, once for each window that they were in
/// @param seconds the time it took
public record Perplexity(
    int window, int stride, int tokens, long bytes, double nll, long read, double seconds) {
  /// The longest window that is chosen unasked.
  private static final int WINDOW = 2048;

  /// `exp(nll)`: among how many equally likely tokens the model chooses, so to speak.
  public double perplexity() {
    return Math.exp(nll);
  }

  /// Bits that the model would need to write a byte of the text: comparable between tokenizers.
  public double bitsPerByte() {
    return nll * tokens / bytes / Math.log(2);
  }

  /// Tokens read per second.
  public double rate() {
    return read / seconds;
  }

  /// `perplexity 16.6324 (2.8114 nats per token, 1.9702 bits per byte) of 4,223 tokens`.
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "perplexity %.4f (%.4f nats per token, %.4f bits per byte) of %,d tokens",
        perplexity(),
        nll,
        bitsPerByte(),
        tokens);
  }

  static Perplexity measure(Llm llm, String text, PerplexityOptions options) {
    // What is written in a text to be measured is text, even if it looks like a special token.
    int[] ids = llm.tokenizer().encode(text, true, false);
    if (ids.length < 2) {
      throw new IllegalArgumentException(
          "the text has %d tokens; need at least 2, one to read and one to predict"
              .formatted(ids.length));
    }
    int usual = llm.hasOwnContext() ? llm.contextLimit() : Math.min(llm.contextLimit(), WINDOW);
    int window = options.window > 0 ? options.window : usual;
    int stride = options.stride > 0 ? options.stride : Math.max(1, window / 2);
    if (stride > window) {
      throw new IllegalArgumentException(
          "stride is %d; need at most the window's length, %d".formatted(stride, window));
    }
    long bytes = text.getBytes(StandardCharsets.UTF_8).length;
    long begun = System.nanoTime();
    double sum = 0;
    long read = 0;
    int scored = 1; // the first token has nothing before it to be predicted from
    Perplexity soFar = null;
    try (var session = llm.newSession(window)) {
      for (int start = 0; scored < ids.length; start += stride) {
        int end = (int) Math.min(ids.length, start + window + 1L);
        session.truncate(0);
        for (float logp : session.score(Arrays.copyOfRange(ids, start, end), scored - start)) {
          sum -= logp;
        }
        scored = end;
        read += end - start - 1;
        soFar =
            new Perplexity(
                window,
                stride,
                scored - 1,
                bytes * scored / ids.length,
                sum / (scored - 1),
                read,
                (System.nanoTime() - begun) / 1e9);
        options.progress.accept(soFar);
      }
    }
    return soFar;
  }
}
