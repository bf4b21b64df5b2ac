package io.gatun.models.template;

import java.util.Arrays;

/// Puts texts together; what is appended is paid for from the run's budget.
final class TextBuilder {
  private final Run run;
  private final StringBuilder chars = new StringBuilder();
  private int[] changes = new int[4];
  private int count;

  TextBuilder(Run run) {
    this.run = run;
  }

  int length() {
    return chars.length();
  }

  TextBuilder append(Text text) {
    return append(text, 0, text.chars().length());
  }

  TextBuilder append(Text text, int start, int end) {
    while (start < end) {
      int runEnd = Math.min(text.runEnd(start), end);
      append(text.chars(), start, runEnd, text.isData(start));
      start = runEnd;
    }
    return this;
  }

  /// The template's own characters.
  TextBuilder append(String text) {
    return append(text, false);
  }

  TextBuilder append(String text, boolean data) {
    return append(text, 0, text.length(), data);
  }

  private TextBuilder append(String text, int start, int end, boolean data) {
    if (start < end) {
      origin(data);
      run.grow(chars.length(), end - start);
      chars.append(text, start, end);
    }
    return this;
  }

  /// The template's own spaces.
  TextBuilder spaces(int count) {
    if (count > 0) {
      origin(false);
      run.grow(chars.length(), count);
      chars.repeat(' ', count);
    }
    return this;
  }

  private void origin(boolean data) {
    if (data != (count % 2 == 1)) {
      if (count == changes.length) {
        changes = Arrays.copyOf(changes, 2 * count);
      }
      changes[count++] = chars.length();
    }
  }

  Text build() {
    return new Text(chars.toString(), Arrays.copyOf(changes, count));
  }
}
