package io.gatun.models.text;

import io.gatun.loaders.CheckpointException;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;

/// What is done to a text before it is cut into words.
final class Normalizers {
  private Normalizers() {}

  /// `first`, then `second`.
  static UnaryOperator<String> then(UnaryOperator<String> first, UnaryOperator<String> second) {
    return text -> second.apply(first.apply(text));
  }

  /// One after the other.
  ///
  /// @param file whose normalizers they are, for messages
  static UnaryOperator<String> sequence(List<UnaryOperator<String>> all, Path file) {
    return text -> {
      String result = text;
      for (UnaryOperator<String> each : all) {
        result = each.apply(result);
        checkLength(result.length(), text, file);
      }
      return result;
    };
  }

  /// What the pattern finds becomes `content`.
  static UnaryOperator<String> replace(FilePattern pattern, String content, Path file) {
    return text -> {
      FilePattern.Search search = pattern.search(text);
      int done = 0;
      var result = new StringBuilder();
      while (search.find()) {
        result.append(text, done, search.start()).append(content);
        checkLength(result.length(), text, file);
        done = search.end();
      }
      return done == 0 && result.isEmpty()
          ? text
          : result.append(text, done, text.length()).toString();
    };
  }

  /// No normalization makes a text much longer: 18 times where a ligature is written out (NFKD of
  /// U+FDFA). A file that does is damaged, or made to exhaust the memory.
  static void checkLength(int length, String text, Path file) {
    if (length > 32L * text.length() + 65_536) {
      throw new CheckpointException(
          "%s: the normalizer makes more than %d characters of a text of %d; the file is damaged"
              .formatted(file, length, text.length()));
    }
  }

  /// One of Unicode's normal forms.
  static UnaryOperator<String> form(Normalizer.Form form) {
    return text -> Normalizer.isNormalized(text, form) ? text : Normalizer.normalize(text, form);
  }

  /// Small letters, each character for itself: a sigma stays one at the end of a word.
  static String lowercase(String text) {
    var out = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            c -> {
              if (c < 128) {
                out.append((char) Character.toLowerCase(c));
              } else {
                out.append(Character.toString(c).toLowerCase(Locale.ROOT));
              }
            });
    return out.toString();
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
