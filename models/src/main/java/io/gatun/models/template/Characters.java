package io.gatun.models.template;

/// Python's classes of characters and escapes.
final class Characters {
  private Characters() {}

  /// `str.isspace`; all of them are in the basic plane.
  static boolean isSpace(int c) {
    return (c >= '\t' && c <= '\r')
        || (c >= 0x1C && c <= 0x1F)
        || c == 0x85
        || Character.isSpaceChar(c);
  }

  /// Where `str.splitlines` cuts.
  static boolean isLineEnd(int c) {
    return (c >= '\n' && c <= '\r')
        || (c >= 0x1C && c <= 0x1E)
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }

  /// `str.isprintable`, of one character.
  static boolean isPrintable(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      case Character.SPACE_SEPARATOR -> c == ' ';
      default -> true;
    };
  }

  /// What a string literal stands for, given what is between its quotes.
  static String unescape(String text) {
    if (text.indexOf('\\') < 0) {
      return text;
    }
    var out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      char c = text.charAt(i++);
      if (c != '\\' || i == text.length()) {
        out.append(c);
        continue;
      }
      char kind = text.charAt(i++);
      switch (kind) {
        case '\n' -> {} // a line that goes on
        case '\\', '\'', '"' -> out.append(kind);
        case 'a' -> out.append('\u0007');
        case 'b' -> out.append('\b');
        case 'f' -> out.append('\f');
        case 'n' -> out.append('\n');
        case 'r' -> out.append('\r');
        case 't' -> out.append('\t');
        case 'v' -> out.append('\u000B');
        case 'x' -> i = code(text, i, 2, 16, out);
        case 'u' -> i = code(text, i, 4, 16, out);
        case 'U' -> i = code(text, i, 8, 16, out);
        case '0', '1', '2', '3', '4', '5', '6', '7' -> {
          int end = i;
          while (end < text.length() && end < i + 2 && Character.digit(text.charAt(end), 8) >= 0) {
            end++;
          }
          i = code(text, i - 1, end - i + 1, 8, out);
        }
        default -> out.append('\\').append(kind);
      }
    }
    return out.toString();
  }

  private static int code(String text, int from, int digits, int radix, StringBuilder out) {
    long code = 0;
    for (int i = from; i < from + digits; i++) {
      int digit = i < text.length() ? Character.digit(text.charAt(i), radix) : -1;
      if (digit < 0) {
        throw new TemplateError("a string has an escape with too few digits");
      }
      code = radix * code + digit;
    }
    if (code > Character.MAX_CODE_POINT) {
      throw new TemplateError("a string has an escape above U+10FFFF");
    }
    out.appendCodePoint((int) code);
    return from + digits;
  }
}
