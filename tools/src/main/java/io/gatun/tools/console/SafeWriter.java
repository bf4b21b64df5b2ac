package io.gatun.tools.console;

import java.io.FilterWriter;
import java.io.IOException;
import java.io.Writer;

/// Writes text that others have written, so that it cannot command a terminal: control characters
/// and those that turn the direction of writing are shown as `\u001b`.
public final class SafeWriter extends FilterWriter {
  public SafeWriter(Writer to) {
    super(to);
  }

  /// Whether a terminal may be given this character.
  static boolean isSafe(char c) {
    return switch (c) {
      case '\n', '\t' -> true;
      // Of directions the overrides, embeddings and isolates, which show text in another order.
      case '\u202a', '\u202b', '\u202c', '\u202d', '\u202e' -> false;
      case '\u2066', '\u2067', '\u2068', '\u2069' -> false;
      default -> !Character.isISOControl(c);
    };
  }

  /// The text as it may be shown.
  static String safe(String text) {
    if (text.chars().allMatch(c -> isSafe((char) c))) {
      return text;
    }
    var shown = new StringBuilder();
    text.chars().forEach(c -> append(shown, (char) c));
    return shown.toString();
  }

  private static void append(StringBuilder shown, char c) {
    if (isSafe(c)) {
      shown.append(c);
    } else {
      shown.append("\\u%04x".formatted((int) c));
    }
  }

  @Override
  public void write(int c) throws IOException {
    out.write(safe(String.valueOf((char) c)));
  }

  @Override
  public void write(String text, int start, int length) throws IOException {
    out.write(safe(text.substring(start, start + length)));
  }

  @Override
  public void write(char[] text, int start, int length) throws IOException {
    out.write(safe(new String(text, start, length)));
  }
}
