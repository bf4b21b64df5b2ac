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

  /// SentencePiece's white space rules: leading, trailing and repeated spaces go if `removeExtra`, a
  /// space comes before the text if `dummyPrefix`, and spaces become visible.
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
      if (c != ' ' || !kept.isEmpty() && kept.charAt(kept.length() - 1) != ' ') {
        kept.append(c);
      }
    }
    if (!kept.isEmpty() && kept.charAt(kept.length() - 1) == ' ') {
      kept.setLength(kept.length() - 1);
    }
    return kept.toString();
  }
}
