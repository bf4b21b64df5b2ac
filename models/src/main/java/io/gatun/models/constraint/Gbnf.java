package io.gatun.models.constraint;

import io.gatun.models.constraint.expr.CodePoints;
import io.gatun.models.constraint.expr.Expr;
import io.gatun.models.constraint.expr.Expr.Rule;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;

/// Reads grammars in llama.cpp's form (GBNF): `name ::= "text" [a-z]+ (other | .){2,3} # comment`.
///
/// Differences: rules may begin with themselves, a line may begin with `|`, and a name that is
/// given twice is an error. `<|name|>` is the special token of that name, or the name as a text
/// where a model has no such token; tokens by number (`<[12]>`) are not supported.
final class Gbnf {
  private static final int MOST_CHARACTERS = 1 << 20;
  private static final int DEEPEST = 200;

  private final String source;
  private final Map<String, Rule> rules = new LinkedHashMap<>();
  private final Map<String, Integer> calledAt = new LinkedHashMap<>();
  private int at;
  private int depth;

  private Gbnf(String source) {
    this.source = source;
  }

  /// Returns the rule `root`.
  static Rule parse(String source) {
    if (source.length() > MOST_CHARACTERS) {
      throw new ConstraintException(
          "the grammar has %,d characters; at most %,d are read"
              .formatted(source.length(), MOST_CHARACTERS));
    }
    return new Gbnf(source).parse();
  }

  private Rule parse() {
    skip(true);
    while (at < source.length()) {
      rule();
      skip(true);
    }
    calledAt.forEach(
        (name, place) -> {
          if (!rules.containsKey(name) || rules.get(name).body == Expr.NOTHING) {
            throw error(place, "there is no rule %s. Add %s ::= ...".formatted(name, name));
          }
        });
    Rule root = rules.get("root");
    if (root == null) {
      throw new ConstraintException(
          "the grammar has no rule root, with which the text begins. Add root ::= ...");
    }
    return root;
  }

  private void rule() {
    int begin = at;
    String name = name();
    if (name.isEmpty()) {
      throw error(at, "expected the name of a rule, as in: name ::= \"text\"");
    }
    skip(false);
    if (!source.startsWith("::=", at)) {
      throw error(at, "expected ::= after the name %s".formatted(name));
    }
    at += 3;
    skip(true);
    Rule rule = rules.computeIfAbsent(name, Rule::new);
    if (rule.body != Expr.NOTHING) {
      throw error(begin, "the rule %s is there already".formatted(name));
    }
    rule.body = alternatives(false);
    if (at < source.length() && !isLineEnd(source.charAt(at))) {
      throw error(at, "unexpected '%s'".formatted(Character.toString(source.codePointAt(at))));
    }
  }

  /// @param nested whether line ends are spaces here
  private Expr alternatives(boolean nested) {
    var options = new ArrayList<Expr>();
    options.add(sequence(nested));
    while (bar()) {
      skip(true);
      options.add(sequence(nested));
    }
    return options.size() == 1 ? options.getFirst() : new Expr.Choice(options);
  }

  /// Takes a bar, which may stand on the next line.
  private boolean bar() {
    int before = at;
    skip(true);
    if (at < source.length() && source.charAt(at) == '|') {
      at++;
      return true;
    }
    at = before;
    return false;
  }

  private Expr sequence(boolean nested) {
    var parts = new ArrayList<Expr>();
    while (at < source.length()) {
      char c = source.charAt(at);
      Expr part;
      if (c == '"') {
        part = literal();
      } else if (c == '[') {
        part = characters();
      } else if (c == '.') {
        at++;
        part = new Expr.Chars(CodePoints.ALL);
      } else if (c == '(') {
        part = group();
      } else if (isName(c)) {
        calledAt.putIfAbsent(source.substring(at, nameEnd()), at);
        part = new Expr.Call(rules.computeIfAbsent(name(), Rule::new));
      } else if (c == '<') {
        part = token();
      } else if (c == '!') {
        throw error(at, "\"any token but this one\" (!<...>) is not supported");
      } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        throw error(at, "there is nothing before '%s' that it could repeat".formatted(c));
      } else {
        break;
      }
      skip(nested);
      parts.add(repeated(part, nested));
    }
    return parts.size() == 1 ? parts.getFirst() : new Expr.Sequence(parts);
  }

  private Expr group() {
    int open = at++;
    if (++depth > DEEPEST) {
      throw error(open, "parentheses are nested more than %d deep".formatted(DEEPEST));
    }
    skip(true);
    Expr inner = alternatives(true);
    skip(true);
    if (at == source.length() || source.charAt(at) != ')') {
      throw error(open, "the parenthesis that opens here is not closed");
    }
    at++;
    depth--;
    return inner;
  }

  private Expr repeated(Expr part, boolean nested) {
    Expr result = part;
    for (int times = 0; at < source.length(); times++) {
      int begin = at;
      char c = source.charAt(at);
      if (c == '*') {
        result = Expr.any(result);
      } else if (c == '+') {
        result = new Expr.Repeat(result, 1, Expr.UNBOUNDED);
      } else if (c == '?') {
        result = Expr.optional(result);
      } else if (c == '{') {
        result = counted(result);
      } else {
        break;
      }
      if (times == DEEPEST) {
        throw error(begin, "more than %d repetitions of one thing".formatted(DEEPEST));
      }
      at++;
      skip(nested);
    }
    return result;
  }

  /// Leaves the reader at the closing brace.
  private Expr counted(Expr part) {
    int open = at++;
    skip(false);
    int min = number();
    int max = min;
    skip(false);
    if (at < source.length() && source.charAt(at) == ',') {
      at++;
      skip(false);
      max = at < source.length() && source.charAt(at) == '}' ? Expr.UNBOUNDED : number();
      skip(false);
    }
    if (at == source.length() || source.charAt(at) != '}') {
      throw error(open, "expected {m}, {m,} or {m,n}");
    }
    if (max != Expr.UNBOUNDED && max < min) {
      throw error(open, "the least, %d, is more than the most, %d".formatted(min, max));
    }
    return new Expr.Repeat(part, min, max);
  }

  private int number() {
    int begin = at;
    while (at < source.length() && source.charAt(at) >= '0' && source.charAt(at) <= '9') {
      at++;
    }
    if (at == begin) {
      throw error(begin, "expected a number, as in {2,3}");
    }
    return Expr.count(source.substring(begin, at), () -> place(begin));
  }

  /// A special token, whose name has the brackets.
  private Expr token() {
    int open = at;
    int end = source.indexOf('>', open);
    if (source.startsWith("<[", open)) {
      throw error(open, "tokens by number (<[...]>) are not supported; write the token's name");
    }
    if (end < 0 || source.substring(open, end).contains("\n")) {
      throw error(open, "the token that begins here is not closed on its line");
    }
    at = end + 1;
    return Expr.mark(source.substring(open, at));
  }

  private Expr literal() {
    int open = at++;
    var text = new StringBuilder();
    while (at < source.length() && source.charAt(at) != '"') {
      text.appendCodePoint(character(open, "text"));
    }
    if (at == source.length()) {
      throw error(open, "the text that begins here is not closed");
    }
    at++;
    return Expr.text(text.toString());
  }

  private Expr characters() {
    int open = at++;
    boolean not = at < source.length() && source.charAt(at) == '^';
    at += not ? 1 : 0;
    var ranges = new ArrayList<int[]>();
    while (at < source.length() && source.charAt(at) != ']') {
      int begin = at;
      int first = character(open, "class");
      int last = first;
      if (at + 1 < source.length() && source.charAt(at) == '-' && source.charAt(at + 1) != ']') {
        at++;
        last = character(open, "class");
      }
      if (last < first) {
        throw error(begin, "the range runs backwards");
      }
      ranges.add(new int[] {first, last});
    }
    if (at == source.length()) {
      throw error(open, "the class that begins here is not closed");
    }
    at++;
    CodePoints set = CodePoints.of(ranges);
    return new Expr.Chars(not ? set.not() : set);
  }

  /// One character of a text or a class, which may be escaped.
  private int character(int open, String kind) {
    int begin = at;
    int c = source.codePointAt(at);
    if (c == '\n' || c == '\r') {
      throw error(open, "the %s that begins here is not closed on its line".formatted(kind));
    }
    at += Character.charCount(c);
    if (c != '\\') {
      return scalar(begin, c);
    }
    if (at == source.length()) {
      throw error(open, "the %s that begins here is not closed".formatted(kind));
    }
    char escaped = source.charAt(at++);
    return switch (escaped) {
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case '\\', '"', '[', ']', '-', '^' -> escaped;
      case 'x' -> hex(begin, 2);
      case 'u' -> hex(begin, 4);
      case 'U' -> hex(begin, 8);
      default ->
          throw error(
              begin,
              "unknown escape \\%s; there are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\x41 \\u0041 \\U00000041"
                  .formatted(escaped));
    };
  }

  private int hex(int begin, int digits) {
    int end = at + digits;
    long value = 0;
    for (; at < end; at++) {
      int digit = at < source.length() ? Character.digit(source.charAt(at), 16) : -1;
      if (digit < 0) {
        throw error(begin, "expected %d hexadecimal digits".formatted(digits));
      }
      value = 16 * value + digit;
    }
    return scalar(begin, value);
  }

  private int scalar(int begin, long c) {
    if (c > 0x10FFFF || !CodePoints.ALL.contains((int) c)) {
      throw error(begin, "U+%04X is no character".formatted(c));
    }
    return (int) c;
  }

  private String name() {
    int begin = at;
    at = nameEnd();
    return source.substring(begin, at);
  }

  private int nameEnd() {
    int end = at;
    while (end < source.length() && isName(source.charAt(end))) {
      end++;
    }
    return end;
  }

  private static boolean isName(char c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')
        || c == '-'
        || c == '_';
  }

  private static boolean isLineEnd(char c) {
    return c == '\n' || c == '\r';
  }

  /// Skips spaces and comments, and line ends if they are spaces here.
  private void skip(boolean lines) {
    while (at < source.length()) {
      char c = source.charAt(at);
      if (c == '#') {
        while (at < source.length() && !isLineEnd(source.charAt(at))) {
          at++;
        }
      } else if (c == ' ' || c == '\t' || (lines && isLineEnd(c))) {
        at++;
      } else {
        break;
      }
    }
  }

  private String place(int at) {
    long line = 1 + source.substring(0, at).chars().filter(c -> c == '\n').count();
    return "grammar, line %d, column %d".formatted(line, at - source.lastIndexOf('\n', at - 1));
  }

  private ConstraintException error(int where, String message) {
    return new ConstraintException("%s: %s".formatted(place(where), message));
  }
}
