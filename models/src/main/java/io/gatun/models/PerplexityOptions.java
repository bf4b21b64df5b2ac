package io.gatun.models;

import java.util.Objects;
import java.util.function.Consumer;

/// How perplexity is measured: `llm.perplexity(text, o -> o.window(512).stride(256))`.
public final class PerplexityOptions {
  int window;
  int stride;
  Consumer<Perplexity> progress = soFar -> {};

  PerplexityOptions() {}

  /// Tokens that are read together; by default as many as the model was loaded with, or, where that
  /// was left open, what it was made for but at most 2048.
  public PerplexityOptions window(int value) {
    if (value < 1) {
      throw new IllegalArgumentException("window is " + value + "; need at least 1");
    }
    window = value;
    return this;
  }

  /// How far each window begins after the one before, 1 to the window's length; by default half of
  /// that. Less gives each token more context and takes longer.
  public PerplexityOptions stride(int value) {
    if (value < 1) {
      throw new IllegalArgumentException("stride is " + value + "; need at least 1");
    }
    stride = value;
    return this;
  }

  /// Is given the figures so far after each window.
  public PerplexityOptions progress(Consumer<Perplexity> value) {
    progress = Objects.requireNonNull(value, "progress is null");
    return this;
  }
}
