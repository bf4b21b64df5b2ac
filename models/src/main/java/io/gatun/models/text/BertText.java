package io.gatun.models.text;

import java.text.Normalizer;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/// What BERT does to a text before its words are looked up.
final class BertText {
  private BertText() {}

  /// Hugging Face's `BertNormalizer`.
  ///
  /// @param clean control characters go, and all white space becomes spaces
  /// @param chinese spaces come around Chinese characters
  /// @param stripAccents letters lose their accents
  static UnaryOperator<String> normalizer(
      boolean clean, boolean chinese, boolean stripAccents, boolean lowercase) {
    return text -> {
      String result = clean || chinese ? cleaned(text, clean, chinese) : text;
      if (stripAccents) {
        result = withoutAccents(result);
      }
      return lowercase ? Normalizers.lowercase(result) : result;
    };
  }

  private static String cleaned(String text, boolean clean, boolean chinese) {
    var out = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            c -> {
              if (clean && (c == 0 || c == 0xFFFD || isControl(c))) {
                return;
              }
              if (clean && Normalizers.isSpace(c)) {
                out.append(' ');
              } else if (chinese && isChinese(c)) {
                out.append(' ').appendCodePoint(c).append(' ');
              } else {
                out.appendCodePoint(c);
              }
            });
    return out.toString();
  }

  private static boolean isControl(int c) {
    return c != '\t'
        && c != '\n'
        && c != '\r'
        && switch (Character.getType(c)) {
          case Character.CONTROL,
              Character.FORMAT,
              Character.SURROGATE,
              Character.PRIVATE_USE,
              Character.UNASSIGNED ->
              true;
          default -> false;
        };
  }

  /// The blocks that the reference implementation lists.
  private static boolean isChinese(int c) {
    return (c >= 0x4E00 && c <= 0x9FFF)
        || (c >= 0x3400 && c <= 0x4DBF)
        || (c >= 0x20000 && c <= 0x2A6DF)
        || (c >= 0x2A700 && c <= 0x2B73F)
        || (c >= 0x2B740 && c <= 0x2B81F)
        || (c >= 0x2B920 && c <= 0x2CEAF)
        || (c >= 0xF900 && c <= 0xFAFF)
        || (c >= 0x2F800 && c <= 0x2FA1F);
  }

  private static String withoutAccents(String text) {
    String apart = Normalizers.form(Normalizer.Form.NFD).apply(text);
    var out = new StringBuilder(apart.length());
    apart
        .codePoints()
        .filter(c -> Character.getType(c) != Character.NON_SPACING_MARK)
        .forEach(out::appendCodePoint);
    return out.toString();
  }

  /// Hugging Face's `BertPreTokenizer`: words between white space, each punctuation mark one of its
  /// own.
  static void split(String text, Consumer<String> out) {
    int start = 0;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      int next = i + Character.charCount(c);
      boolean mark = isPunctuation(c);
      if (mark || Normalizers.isSpace(c)) {
        if (i > start) {
          out.accept(text.substring(start, i));
        }
        if (mark) {
          out.accept(text.substring(i, next));
        }
        start = next;
      }
      i = next;
    }
    if (start < text.length()) {
      out.accept(text.substring(start));
    }
  }

  private static boolean isPunctuation(int c) {
    if (c < 128) {
      return c > ' ' && c < 127 && !Character.isLetterOrDigit(c);
    }
    return switch (Character.getType(c)) {
      case Character.CONNECTOR_PUNCTUATION,
          Character.DASH_PUNCTUATION,
          Character.START_PUNCTUATION,
          Character.END_PUNCTUATION,
          Character.INITIAL_QUOTE_PUNCTUATION,
          Character.FINAL_QUOTE_PUNCTUATION,
          Character.OTHER_PUNCTUATION ->
          true;
      default -> false;
    };
  }
}
