package io.gatun.models.toolcall;

/// Where JSON values end in a text that may break off anywhere. What is not JSON at all ends
/// somewhere, too: whoever reads the value finds out.
final class JsonPrefix {
  private JsonPrefix() {}

  /// The first place from `at` on that is no white space.
  static int skipSpace(String text, int at) {
    int i = at;
    while (i < text.length() && Character.isWhitespace(text.charAt(i))) {
      i++;
    }
    return i;
  }

  /// The place after the value that begins at `at`; -1 if it is not whole.
  static int end(String text, int at) {
    if (at >= text.length()) {
      return -1;
    }
    return switch (text.charAt(at)) {
      case '"' -> endOfString(text, at);
      case '{', '[' -> endOfNested(text, at);
      default -> endOfWord(text, at);
    };
  }

  private static int endOfString(String text, int at) {
    for (int i = at + 1; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\\') {
        i++;
      } else if (c == '"') {
        return i + 1;
      }
    }
    return -1;
  }

  private static int endOfNested(String text, int at) {
    int depth = 0;
    for (int i = at; i < text.length(); i++) {
      switch (text.charAt(i)) {
        case '"' -> {
          int end = endOfString(text, i);
          if (end < 0) {
            return -1;
          }
          i = end - 1;
        }
        case '{', '[' -> depth++;
        case '}', ']' -> {
          if (--depth == 0) {
            return i + 1;
          }
        }
        default -> {}
      }
    }
    return -1;
  }

  private static int endOfWord(String text, int at) {
    for (int i = at; i < text.length(); i++) {
      if (",}]:".indexOf(text.charAt(i)) >= 0 || Character.isWhitespace(text.charAt(i))) {
        return i;
      }
    }
    return -1;
  }
}
