package io.gatun.models.template;

import io.gatun.models.template.Token.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Cuts a template into tokens by Jinja's rules for white space: `trim_blocks` (the line feed after
/// a block or comment goes), `lstrip_blocks` (so do the blanks before one that begins its line),
/// `-` (all white space on that side goes) and `+` (it stays).
final class Lexer {
  private static final Pattern FLOAT =
      Pattern.compile("\\d[\\d_]*+(?:(?:\\.\\d[\\d_]*+)?[eE][+-]?\\d[\\d_]*+|\\.\\d[\\d_]*+)");
  private static final Pattern INTEGER =
      Pattern.compile("0[bB][01_]++|0[oO][0-7_]++|0[xX][\\da-fA-F_]++|\\d[\\d_]*+");
  private static final Pattern RAW = Pattern.compile("\\s*+raw\\s*+(-%\\}\\s*+|%\\})");
  private static final Pattern END_RAW =
      Pattern.compile("\\{%([-+]?)\\s*+endraw\\s*+(?:\\+%\\}|-%\\}\\s*+|%\\}\\n?)");
  private static final List<String> OPERATORS =
      List.of(
          "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{",
          "}", ">", "<", "=", ".", ":", "|", ",", ";");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private final Deque<Character> open = new ArrayDeque<>();
  private int at;
  private int line = 1;
  private int counted;

  private Lexer(String source) {
    this.source = source;
  }

  /// The tokens of a template, [Kind#END] last.
  static List<Token> tokens(String template) {
    String source = template.replace("\r\n", "\n").replace('\r', '\n');
    var lexer =
        new Lexer(source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
    lexer.run();
    return lexer.tokens;
  }

  private void run() {
    while (at < source.length()) {
      int tag = nextTag();
      if (tag == source.length()) {
        add(Kind.TEXT, source.substring(at));
        break;
      }
      char kind = source.charAt(tag + 1);
      String sign = sign(tag + 2);
      addText(at, tag, sign, kind != '{');
      at = tag + 2 + sign.length();
      switch (kind) {
        case '#' -> comment();
        case '{' -> tag(Kind.PRINT_BEGIN, Kind.PRINT_END, "}}");
        default -> {
          if (!raw()) {
            tag(Kind.BLOCK_BEGIN, Kind.BLOCK_END, "%}");
          }
        }
      }
    }
    add(Kind.END, "");
  }

  private int nextTag() {
    for (int i = source.indexOf('{', at); i >= 0; i = source.indexOf('{', i + 1)) {
      if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return source.length();
  }

  private String sign(int i) {
    return source.startsWith("-", i) ? "-" : source.startsWith("+", i) ? "+" : "";
  }

  /// The text before a tag, without the white space that goes with the tag.
  private void addText(int from, int to, String sign, boolean block) {
    int end = to;
    if (sign.equals("-")) {
      while (end > from && Characters.isSpace(source.charAt(end - 1))) {
        end--;
      }
    } else if (sign.isEmpty() && block) {
      int start = end;
      while (start > from
          && source.charAt(start - 1) != '\n'
          && Characters.isSpace(source.charAt(start - 1))) {
        start--;
      }
      boolean beginsLine = start == 0 || source.charAt(start - 1) == '\n';
      end = beginsLine ? start : end;
    }
    if (end > from) {
      add(Kind.TEXT, source.substring(from, end));
    }
  }

  private void comment() {
    int end = source.indexOf("#}", at);
    if (end < 0) {
      throw error("a comment has no end: '#}' is missing");
    }
    // The minus of {#-#} is the beginning's alone.
    close(end > at ? end - 1 : end, end, true);
  }

  /// Goes behind a tag's end, and the white space that its sign takes along.
  private void close(int sign, int end, boolean block) {
    at = end + 2;
    char before = sign < end ? source.charAt(sign) : ' ';
    if (before == '-') {
      skipSpace();
    } else if (before != '+' && block && source.startsWith("\n", at)) {
      at++;
    }
  }

  private void skipSpace() {
    while (at < source.length() && Characters.isSpace(source.charAt(at))) {
      at++;
    }
  }

  private boolean raw() {
    Matcher begin = RAW.matcher(source).region(at, source.length());
    if (!begin.lookingAt()) {
      return false;
    }
    Matcher end = END_RAW.matcher(source).region(begin.end(), source.length());
    if (!end.find()) {
      throw error("a raw block has no end: '{% endraw %}' is missing");
    }
    addText(begin.end(), end.start(), end.group(1), true);
    at = end.end();
    return true;
  }

  private void tag(Kind begin, Kind end, String close) {
    add(begin, begin == Kind.PRINT_BEGIN ? "{{" : "{%");
    open.clear();
    while (true) {
      skipSpace();
      if (at >= source.length()) {
        throw error("a tag has no end: '%s' is missing".formatted(close));
      }
      if (open.isEmpty()) {
        boolean signed =
            source.charAt(at) == '-' || (source.charAt(at) == '+' && end == Kind.BLOCK_END);
        if (source.startsWith(close, at) || (signed && source.startsWith(close, at + 1))) {
          add(end, close);
          int closing = source.startsWith(close, at) ? at : at + 1;
          close(at, closing, end == Kind.BLOCK_END);
          return;
        }
      }
      token();
    }
  }

  private void token() {
    char c = source.charAt(at);
    if (c >= '0' && c <= '9') {
      number();
    } else if (Character.isUnicodeIdentifierStart(c) || c == '_') {
      int start = at;
      while (at < source.length()
          && (Character.isUnicodeIdentifierPart(source.charAt(at)) || source.charAt(at) == '_')
          && !Character.isIdentifierIgnorable(source.charAt(at))) {
        at++;
      }
      if (at == start) {
        throw error("unexpected character U+%04X".formatted((int) c));
      }
      add(Kind.NAME, source.substring(start, at));
    } else if (c == '"' || c == '\'') {
      string(c);
    } else {
      operator();
    }
  }

  private void number() {
    boolean afterDot = at > 0 && source.charAt(at - 1) == '.';
    Matcher number = FLOAT.matcher(source).region(at, source.length());
    if (!afterDot && number.lookingAt()) {
      add(Kind.FLOAT, number.group().replace("_", ""));
    } else {
      number = INTEGER.matcher(source).region(at, source.length());
      number.lookingAt();
      add(Kind.INTEGER, number.group().replace("_", ""));
    }
    at = number.end();
  }

  private void string(char quote) {
    int end = at + 1;
    while (end < source.length() && source.charAt(end) != quote) {
      end += source.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= source.length()) {
      throw error("a string has no end: %s is missing".formatted(quote));
    }
    String text = source.substring(at + 1, end);
    try {
      text = Characters.unescape(text);
    } catch (TemplateError e) {
      throw e.at(line);
    }
    add(Kind.STRING, text);
    at = end + 1;
  }

  private void operator() {
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        add(Kind.OPERATOR, operator);
        char c = operator.charAt(0);
        if (c == '(' || c == '[' || c == '{') {
          open.push(c);
        } else if (c == ')' || c == ']' || c == '}') {
          char opened = c == ')' ? '(' : c == ']' ? '[' : '{';
          if (open.isEmpty() || open.pop() != opened) {
            throw error("unexpected '%s'".formatted(operator));
          }
        }
        at += operator.length();
        return;
      }
    }
    throw error("unexpected character U+%04X".formatted(source.codePointAt(at)));
  }

  private void add(Kind kind, String text) {
    while (counted < at) {
      line += source.charAt(counted++) == '\n' ? 1 : 0;
    }
    tokens.add(new Token(kind, text, line));
  }

  private TemplateError error(String message) {
    add(Kind.END, "");
    return TemplateError.syntax(line, message);
  }
}
