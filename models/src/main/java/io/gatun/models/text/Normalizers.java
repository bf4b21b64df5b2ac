package io.gatun.models.text;

import java.text.Normalizer;
import java.util.function.UnaryOperator;

/// What is done to a text before it is cut into words.
final class Normalizers {
  private Normalizers() {}

  /// `first`, then `second`.
  static UnaryOperator<String> then(UnaryOperator<String> first, UnaryOperator<String> second) {
    return text -> second.apply(first.apply(text));
  }

  /// One of Unicode's normal forms.
  static UnaryOperator<String> form(Normalizer.Form form) {
    return text -> Normalizer.isNormalized(text, form) ? text : Normalizer.normalize(text, form);
  }

  /// `prefix` before every text that is not empty.
  static UnaryOperator<String> prepend(String prefix) {
    return text -> text.isEmpty() ? text : prefix + text;
  }

  /// SentencePiece's white space rules: leading, trailing and repeated spaces go if `removeExtra`,
  /// a space comes before the text if `dummyPrefix`, and spaces become visible.
  static UnaryOperator<String> sentencePiece(boolean removeExtra, boolean dummyPrefix) {
    return text -> {
      String cleaned = removeExtra ? removeExtraSpaces(text) : text;
      if (cleaned.isEmpty()) {
        return cleaned;
      }
      return (dummyPrefix ? " " + cleaned : cleaned).replace(' ', Vocabulary.SPACE);
    };
  }

  private static String removeExtraSpaces(String text) {
    var kept = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c != ' ' || (!kept.isEmpty() && kept.charAt(kept.length() - 1) != ' ')) {
        kept.append(c);
      }
    }
    int end = kept.length();
    // At the end SentencePiece takes a visible space in the text for a space, too.
    while (end > 0 && (kept.charAt(end - 1) == ' ' || kept.charAt(end - 1) == Vocabulary.SPACE)) {
      end--;
    }
    return kept.substring(0, end);
  }

  /// The text without the white space at its ends.
  static String strip(String text, boolean left, boolean right) {
    int start = 0;
    int end = text.length();
    while (left && start < end && isSpace(text.charAt(start))) {
      start++;
    }
    while (right && end > start && isSpace(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(start, end);
  }

  /// Unicode's property White_Space, all of which is in the basic plane.
  static boolean isSpace(int c) {
    return (c >= '\t' && c <= '\r') || c == 0x85 || Character.isSpaceChar(c);
  }
}
